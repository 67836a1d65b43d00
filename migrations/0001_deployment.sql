-- The deployment's one row: the epoch of Redis's memory.
-- Whoever finds that Redis may have forgotten something raises it (compare-and-set);
-- commits lock the row FOR SHARE, so nothing decided under an older memory gets in.
CREATE TABLE deployment (
    id        boolean     PRIMARY KEY DEFAULT true CHECK (id),
    epoch     bigint      NOT NULL DEFAULT 1 CHECK (epoch > 0),
    raised_at timestamptz NOT NULL DEFAULT now(),
    reason    text        NOT NULL DEFAULT 'installed'
);

INSERT INTO deployment DEFAULT VALUES;
