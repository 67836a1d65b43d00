-- Telling others what happened. The outbox holds only what is still to be
-- published, so that whoever looks for work never reads what is done. From it
-- each event's webhooks get their deliveries, in the same transaction.

DROP INDEX outbox_unpublished;
DELETE FROM outbox WHERE published_at IS NOT NULL;
ALTER TABLE outbox DROP COLUMN published_at;
-- A short table that much passes through: cleaned by what passed, not by its size.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Whom an event's happenings are told, over HTTP.
CREATE TABLE webhook_endpoints (
    id           uuid        PRIMARY KEY,
    event_id     uuid        NOT NULL,
    url          text        NOT NULL CHECK (char_length(url) <= 500),
    -- Empty: every kind of happening.
    kinds        text[]      NOT NULL,
    -- Signs each delivery, so it has to be known, not only its hash.
    secret       text        NOT NULL CHECK (secret ~ '^whsec_[0-9a-f]{64}$'),
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   text        NOT NULL,
    -- Since the last delivery that was taken; each makes the next pause longer.
    failures     integer     NOT NULL DEFAULT 0,
    next_try_at  timestamptz NOT NULL DEFAULT now(),
    -- Until then one process delivers here: one at a time, so in order.
    leased_until timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);

CREATE INDEX webhook_endpoints_of_event ON webhook_endpoints (event_id);

-- What an endpoint has still to hear, or did not take. What it took is gone.
CREATE TABLE webhook_deliveries (
    endpoint_id uuid        NOT NULL REFERENCES webhook_endpoints ON DELETE CASCADE,
    -- The happening in the event store; what a receiver tells repetitions by.
    id          bigint      NOT NULL REFERENCES domain_events,
    -- Of this delivery, or of its redelivery.
    since       timestamptz NOT NULL DEFAULT now(),
    attempts    integer     NOT NULL DEFAULT 0,
    last_error  text,
    dead_at     timestamptz,
    PRIMARY KEY (endpoint_id, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (endpoint_id, id) WHERE dead_at IS NULL;
CREATE INDEX webhook_deliveries_dead ON webhook_deliveries (endpoint_id, id) WHERE dead_at IS NOT NULL;
