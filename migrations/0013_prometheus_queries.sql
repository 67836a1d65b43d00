-- The queries that tell how an event's backend is, where that is not usher's own and
-- a Prometheus watches it. Its address is a setting of the deployment, not stored here.

CREATE TABLE admission_prometheus (
    event_id   uuid        PRIMARY KEY,
    queries    jsonb       NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text        NOT NULL CHECK (char_length(changed_by) <= 100)
);
