-- Who may join a line: fans whom the shop vouches for, and how hard a puzzle is
-- asked of whoever joins.

ALTER TABLE lines
    ADD COLUMN identity text NOT NULL DEFAULT 'off'
        CHECK (identity IN ('off', 'optional', 'required')),
    -- A JWK set, a JWK or a public key as PEM, as the shop gave it.
    ADD COLUMN shop_keys text CHECK (octet_length(shop_keys) <= 8192),
    -- Hashed with each subject, so that nobody finds a customer's number again
    -- among the fan ids that a draw publishes. It never changes.
    ADD COLUMN identity_secret uuid NOT NULL DEFAULT gen_random_uuid(),
    -- Hashes that a join costs on average; 0 asks for none.
    ADD COLUMN puzzle integer NOT NULL DEFAULT 0 CHECK (puzzle BETWEEN 0 AND 5000000),
    ADD CHECK (identity = 'off' OR shop_keys IS NOT NULL);
