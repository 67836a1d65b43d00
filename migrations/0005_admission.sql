-- How each event is admitted: the operator's policy, every change of it, and the
-- control law's state, from which a new leader goes on smoothly.

CREATE TABLE admission_policies (
    event_id   uuid        PRIMARY KEY,
    policy     jsonb       NOT NULL,
    -- Rises with every change, so that Redis never keeps an older one.
    revision   bigint      NOT NULL DEFAULT 1,
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text        NOT NULL CHECK (char_length(changed_by) <= 100)
);

-- Who set what, when, over what. Written in the transaction of the change.
CREATE TABLE admission_audit (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid        NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    who      text        NOT NULL CHECK (char_length(who) <= 100),
    before   jsonb,
    after    jsonb       NOT NULL
);
CREATE INDEX admission_audit_of_event ON admission_audit (event_id, id);

CREATE FUNCTION admission_audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER admission_audit_append_only BEFORE UPDATE OR DELETE ON admission_audit
    FOR EACH ROW EXECUTE FUNCTION admission_audit_is_append_only();

CREATE TABLE admission_checkpoints (
    event_id uuid        PRIMARY KEY,
    at       timestamptz NOT NULL,
    state    jsonb       NOT NULL
);
