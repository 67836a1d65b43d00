-- The control law's constants that an admin set for an event, where its backend or its
-- crowd asks for others than the usual ones. Changes go into the log of the policies'.

CREATE TABLE admission_constants (
    event_id   uuid        PRIMARY KEY,
    constants  jsonb       NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text        NOT NULL CHECK (char_length(changed_by) <= 100)
);

ALTER TABLE admission_audit ADD COLUMN about text NOT NULL DEFAULT 'policy'
    CHECK (about IN ('policy', 'constants'));
