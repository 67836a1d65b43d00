-- Who may steer a sale besides the holder of the first key, which is a setting.
-- A key is shown once, when it is made; only its hash is kept. A row is never
-- removed, because the audit log names its operator.
CREATE TABLE operators (
    id         uuid        PRIMARY KEY,
    name       text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 64),
    role       text        NOT NULL CHECK (role IN ('viewer', 'staff', 'operator', 'admin')),
    key_hash   bytea       NOT NULL CHECK (octet_length(key_hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text        NOT NULL,
    revoked_at timestamptz
);

CREATE UNIQUE INDEX operators_name ON operators (name) WHERE revoked_at IS NULL;
