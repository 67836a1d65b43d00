-- Orders, their payments and tickets, and what happened: the part of usher
-- that must never be lost. Postgres has the last word on who bought what; the
-- unique index over live items and the limits below are that word.
-- Events are known by id only (the catalog has its own migration), so that
-- selling never waits for somebody who edits an event.

CREATE TABLE orders (
    -- The hash of event, fan and idempotency key: a repeated request is the
    -- same row, and `request_hash` tells whether it is also the same request.
    id                 uuid        PRIMARY KEY,
    -- NULL: the request died before it came here, and the attempt was closed.
    request_hash       bytea       CHECK (octet_length(request_hash) = 32),
    number             text        NOT NULL UNIQUE,
    event_id           uuid        NOT NULL,
    fan_id             bytea       NOT NULL CHECK (octet_length(fan_id) = 16),
    reservation_id     uuid        NOT NULL,
    state              text        NOT NULL
        CHECK (state IN ('pending', 'paid', 'failed', 'cancelled', 'refunded')),
    failure            text        CHECK ((failure IS NOT NULL) = (state = 'failed')),
    amount             bigint      NOT NULL CHECK (amount >= 0),
    currency           text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    billing            jsonb       NOT NULL,
    -- The memory of Redis in which the hold was pinned.
    epoch              bigint      NOT NULL,
    pay_by             timestamptz NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now(),
    decided_at         timestamptz,
    -- The epoch, still in force then, in which Redis was told of the last
    -- decision. NULL: it has to be told. Not NULL: either it knows, or it
    -- forgot and was rebuilt after the decision.
    redis_synced_epoch bigint,
    -- When the reconciler looks at the order next; NULL: nothing is left to do.
    look_at            timestamptz
);

-- An order is one attempt; a hold has at most one that is alive.
CREATE UNIQUE INDEX orders_one_live_per_hold ON orders (event_id, reservation_id)
    WHERE state IN ('pending', 'paid');
CREATE INDEX orders_to_look_at ON orders (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX orders_of_event ON orders (event_id, created_at, id);
CREATE INDEX orders_of_fan ON orders (fan_id, created_at);

-- One row a ticket: a numbered seat, or one place in a standing tier.
CREATE TABLE order_items (
    order_id   uuid    NOT NULL REFERENCES orders,
    position   integer NOT NULL CHECK (position >= 0),
    event_id   uuid    NOT NULL,
    seat_index integer CHECK (seat_index >= 0),
    tier_index integer CHECK (tier_index >= 0),
    label      text    NOT NULL,
    price      bigint  NOT NULL CHECK (price >= 0),
    live       boolean NOT NULL DEFAULT true,
    PRIMARY KEY (order_id, position),
    CHECK (num_nonnulls(seat_index, tier_index) = 1)
);

-- A seat is sold at most once.
CREATE UNIQUE INDEX order_items_one_live_per_seat ON order_items (event_id, seat_index)
    WHERE live AND seat_index IS NOT NULL;

-- What the live orders have of each limit; raised only while it fits into
-- `most`, the limit that the last order came with.
CREATE TABLE tier_sold (
    event_id   uuid    NOT NULL,
    tier_index integer NOT NULL,
    sold       integer NOT NULL CHECK (sold >= 0),
    most       integer NOT NULL,
    PRIMARY KEY (event_id, tier_index)
) WITH (fillfactor = 50);

CREATE TABLE fan_bought (
    event_id uuid    NOT NULL,
    fan_id   bytea   NOT NULL,
    bought   integer NOT NULL CHECK (bought >= 0),
    most     integer NOT NULL,
    PRIMARY KEY (event_id, fan_id)
) WITH (fillfactor = 80);

CREATE TABLE payments (
    order_id   uuid        PRIMARY KEY REFERENCES orders,
    provider   text        NOT NULL,
    method     text        NOT NULL,
    state      text        NOT NULL CHECK (state IN ('pending', 'requires_action', 'capturing',
        'captured', 'voiding', 'voided', 'failed', 'refunded')),
    amount     bigint      NOT NULL CHECK (amount >= 0),
    currency   text        NOT NULL,
    -- The provider's own id of the payment.
    reference  text,
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);

CREATE INDEX payments_by_reference ON payments (provider, reference) WHERE reference IS NOT NULL;

CREATE TABLE tickets (
    number     text        PRIMARY KEY,
    order_id   uuid        NOT NULL REFERENCES orders,
    position   integer     NOT NULL,
    event_id   uuid        NOT NULL,
    seat_index integer,
    tier_index integer,
    label      text        NOT NULL,
    state      text        NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'used', 'cancelled')),
    used_at    timestamptz,
    used_by    text,
    used_gate  text,
    UNIQUE (order_id, position),
    CHECK ((state = 'used') <= (num_nulls(used_at, used_by, used_gate) = 0))
);

CREATE INDEX tickets_of_event ON tickets (event_id, number);

-- The event store: written in the transaction of what it tells. `lossy` rows
-- come from the trail in Redis, best effort, and prove nothing.
CREATE TABLE domain_events (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid        NOT NULL,
    order_id uuid,
    kind     text        NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    lossy    boolean     NOT NULL DEFAULT false,
    payload  jsonb       NOT NULL
);

CREATE INDEX domain_events_of_event ON domain_events (event_id, id);

-- What of it has still to be published. Rows, not a position: a position
-- loses what commits later under a smaller id.
CREATE TABLE outbox (
    id           bigint      PRIMARY KEY,
    published_at timestamptz
);

CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;

-- Webhooks that were taken, so that a repeated one is known.
CREATE TABLE provider_notices (
    provider    text        NOT NULL,
    id          text        NOT NULL,
    order_id    uuid,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, id)
);

-- Who did what: every operator's action and every movement of money.
CREATE TABLE audit_log (
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    actor   text        NOT NULL,
    action  text        NOT NULL,
    subject text        NOT NULL,
    details jsonb       NOT NULL
);

CREATE INDEX audit_log_by_subject ON audit_log (subject, id);

CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;

CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER domain_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON domain_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- The built-in `test` provider's own book: it stands for a provider outside,
-- so nothing else reads or writes it.
CREATE TABLE test_payments (
    order_id  uuid        PRIMARY KEY,
    method    text        NOT NULL,
    amount    bigint      NOT NULL,
    currency  text        NOT NULL,
    state     text        NOT NULL CHECK (state IN ('processing', 'requires_action', 'authorised',
        'captured', 'declined', 'voided', 'refunded')),
    -- When a payment that is `processing` becomes authorised.
    ripe_at   timestamptz
);
