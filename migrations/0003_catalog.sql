-- What is for sale: titles, venues, layouts and events. An event is one
-- document, because it is always read and written whole; beside it stand the
-- columns by which events are found. What is sold is in 0004 and knows events
-- by id only.

CREATE TABLE titles (
    id   uuid PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE venues (
    id       uuid    PRIMARY KEY,
    name     text    NOT NULL,
    city     text    NOT NULL,
    capacity integer CHECK (capacity > 0),
    UNIQUE (name, city)
);

-- Immutable: the version is the digest of the sections.
CREATE TABLE layouts (
    version    text        PRIMARY KEY CHECK (version ~ '^[0-9a-f]{16}$'),
    sections   jsonb       NOT NULL,
    seat_count integer     NOT NULL CHECK (seat_count > 0),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION layouts_are_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a layout is immutable; import the changed one beside it';
END $$;

CREATE TRIGGER layouts_immutable BEFORE UPDATE ON layouts
    FOR EACH ROW EXECUTE FUNCTION layouts_are_immutable();

CREATE TABLE events (
    id             uuid        PRIMARY KEY,
    slug           text        NOT NULL CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    title_id       uuid        NOT NULL REFERENCES titles,
    venue_id       uuid        NOT NULL REFERENCES venues,
    layout_version text        REFERENCES layouts,
    category       text        NOT NULL,
    city           text        NOT NULL,
    start_time     timestamptz NOT NULL,
    document       jsonb       NOT NULL,
    -- Raised by every change; the edge asks for what is newer.
    revision       bigint      NOT NULL DEFAULT 1,
    search_text    text        NOT NULL,
    -- 'simple': names of artists and venues are of every language.
    search         tsvector    GENERATED ALWAYS AS (to_tsvector('simple', search_text)) STORED,
    created_at     timestamptz NOT NULL DEFAULT now(),
    deleted_at     timestamptz
);

CREATE UNIQUE INDEX events_slug ON events (slug) WHERE deleted_at IS NULL;
CREATE INDEX events_search ON events USING gin (search);
CREATE INDEX events_by_start ON events (start_time, id) WHERE deleted_at IS NULL;
CREATE INDEX events_of_title ON events (title_id);
