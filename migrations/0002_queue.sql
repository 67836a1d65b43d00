-- The line's durable part: how each event's line is set up, the number blocks it
-- leased, what was released and ended, the draws, and checkpoints of Redis's
-- memory. Only the leader and operators' calls open these tables; the line itself
-- goes on without them for as long as its number block lasts.

CREATE TABLE lines (
    event_id        uuid        PRIMARY KEY,
    phase           text        NOT NULL DEFAULT 'draft' CHECK (phase IN
        ('draft', 'scheduled', 'gathering', 'drawing', 'open', 'paused', 'sold_out', 'closed')),
    ordering        text        NOT NULL DEFAULT 'fifo' CHECK (ordering IN ('fifo', 'lottery')),
    room            text        NOT NULL DEFAULT 'on' CHECK (room IN ('on', 'off')),
    gathers_at      timestamptz,
    opens_at        timestamptz,
    closes_at       timestamptz,
    claim_seconds   integer     NOT NULL DEFAULT 90 CHECK (claim_seconds BETWEEN 10 AND 3600),
    session_seconds integer     NOT NULL DEFAULT 900 CHECK (session_seconds BETWEEN 30 AND 14400),
    grace_seconds   integer     NOT NULL DEFAULT 600 CHECK (grace_seconds BETWEEN 0 AND 3600),
    max_waiting     integer     NOT NULL DEFAULT 5000000 CHECK (max_waiting > 0),
    message         text        CHECK (char_length(message) <= 500),
    -- Rises with every change, so that Redis never takes an older one for new.
    revision        bigint      NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CHECK (gathers_at <= opens_at),
    CHECK (opens_at < closes_at)
);

-- `block_end` is the last number that the line may hand out. It only rises, and
-- before Redis hears of it, so that no number is ever given twice.
CREATE TABLE lanes (
    event_id   uuid    NOT NULL REFERENCES lines ON DELETE CASCADE,
    lane       text    NOT NULL CHECK (lane ~ '^[a-z0-9-]{1,24}$'),
    weight     integer NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000),
    needs_code boolean NOT NULL DEFAULT false,
    block_end  bigint  NOT NULL DEFAULT 0 CHECK (block_end BETWEEN 0 AND 4294967295),
    PRIMARY KEY (event_id, lane)
);

-- Codes that open a lane. Only the hash is kept: a code is worth a ticket.
CREATE TABLE invites (
    event_id   uuid        NOT NULL,
    code_hash  bytea       NOT NULL CHECK (octet_length(code_hash) = 32),
    lane       text        NOT NULL,
    uses_left  integer     NOT NULL CHECK (uses_left >= 0),
    expires_at timestamptz,
    PRIMARY KEY (event_id, code_hash),
    FOREIGN KEY (event_id, lane) REFERENCES lanes ON DELETE CASCADE
);

-- Who used a code: a fan who comes back with it uses it up only once.
CREATE TABLE invite_uses (
    event_id  uuid        NOT NULL,
    code_hash bytea       NOT NULL,
    fan_id    bytea       NOT NULL CHECK (octet_length(fan_id) = 16),
    used_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, code_hash, fan_id),
    FOREIGN KEY (event_id, code_hash) REFERENCES invites ON DELETE CASCADE
);

-- Each batch that was let in, written before it happens: the flight recorder,
-- and what lets a rebuilt line re-admit those whose turn it was.
CREATE TABLE releases (
    event_id uuid        NOT NULL,
    sequence bigint      NOT NULL,
    lane     text        NOT NULL,
    at       timestamptz NOT NULL,
    leader   text        NOT NULL,
    -- Why as many as these: the admission decision, as it was.
    reason   jsonb       NOT NULL,
    first    bigint      NOT NULL,
    last     bigint      NOT NULL,
    PRIMARY KEY (event_id, sequence)
);
CREATE INDEX releases_in_time ON releases (event_id, at);

CREATE TABLE released_fans (
    event_id uuid   NOT NULL,
    sequence bigint NOT NULL,
    number   bigint NOT NULL,
    fan_id   bytea  NOT NULL CHECK (octet_length(fan_id) = 16),
    PRIMARY KEY (event_id, sequence, number),
    FOREIGN KEY (event_id, sequence) REFERENCES releases ON DELETE CASCADE
);
CREATE INDEX released_fans_by_fan ON released_fans (event_id, fan_id);

-- Sessions and admissions that are over for good: not let in twice.
CREATE TABLE ended_sessions (
    event_id uuid        NOT NULL,
    lane     text        NOT NULL,
    number   bigint      NOT NULL,
    fan_id   bytea       NOT NULL CHECK (octet_length(fan_id) = 16),
    reason   text        NOT NULL
        CHECK (reason IN ('finished', 'expired', 'revoked', 'missed', 'left')),
    at       timestamptz NOT NULL,
    PRIMARY KEY (event_id, lane, number)
);
CREATE INDEX ended_sessions_in_time ON ended_sessions (event_id, at);
CREATE INDEX ended_sessions_by_fan ON ended_sessions (event_id, fan_id);

-- The newest picture of a lane's bitmaps, replaced every few seconds.
CREATE TABLE lane_checkpoints (
    event_id    uuid        NOT NULL,
    lane        text        NOT NULL,
    at          timestamptz NOT NULL,
    last_number bigint      NOT NULL,
    alive       bytea       NOT NULL,
    spent       bytea       NOT NULL,
    PRIMARY KEY (event_id, lane)
);

-- Who was in the shop, or called, at the same moment.
CREATE TABLE inside_checkpoints (
    event_id uuid        PRIMARY KEY,
    at       timestamptz NOT NULL,
    people   jsonb       NOT NULL
);

-- One draw for each lane of a lottery, filled in step by step and never replaced.
CREATE TABLE draws (
    event_id          uuid        NOT NULL,
    lane              text        NOT NULL,
    rule              jsonb       NOT NULL,
    secret            bytea       NOT NULL CHECK (octet_length(secret) = 32),
    commitment        bytea       NOT NULL CHECK (octet_length(commitment) = 32),
    committed_at      timestamptz NOT NULL DEFAULT now(),
    -- The frozen list in the order of arrival, 16 bytes a fan.
    fans              bytea       CHECK (octet_length(fans) % 16 = 0),
    root              bytea       CHECK (octet_length(root) = 32),
    root_published_at timestamptz,
    signed_by         bytea       CHECK (octet_length(signed_by) = 32),
    signature         bytea       CHECK (octet_length(signature) = 64),
    evidence          jsonb,
    seed              bytea       CHECK (octet_length(seed) = 32),
    -- No entropy came and the operator opened in the order of arrival: public.
    opened_as_fifo    boolean     NOT NULL DEFAULT false,
    numbered          bigint      NOT NULL DEFAULT 0,
    finished_at       timestamptz,
    PRIMARY KEY (event_id, lane),
    CHECK ((root IS NULL) = (fans IS NULL) AND (root IS NULL) = (root_published_at IS NULL)
        AND (root IS NULL) = (signed_by IS NULL) AND (root IS NULL) = (signature IS NULL)),
    CHECK ((evidence IS NULL) = (seed IS NULL)),
    CHECK (seed IS NULL OR root IS NOT NULL)
);

-- What was announced must stay: who fills in a draw later cannot change it.
CREATE FUNCTION draws_keep_what_was_announced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.rule, OLD.secret, OLD.commitment) IS DISTINCT FROM (NEW.rule, NEW.secret, NEW.commitment)
        OR (OLD.root IS NOT NULL AND (OLD.root, OLD.fans, OLD.root_published_at)
            IS DISTINCT FROM (NEW.root, NEW.fans, NEW.root_published_at))
        OR (OLD.seed IS NOT NULL AND (OLD.seed, OLD.evidence) IS DISTINCT FROM (NEW.seed, NEW.evidence))
        OR (OLD.opened_as_fifo AND NOT NEW.opened_as_fifo) THEN
        RAISE EXCEPTION 'a draw that was announced cannot be changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER draws_stay BEFORE UPDATE ON draws
    FOR EACH ROW EXECUTE FUNCTION draws_keep_what_was_announced();
