-- Looking whether a draw's list was changed reads the list: 16 MB of a million fans, each
-- time somebody notes how far the numbers have come, a thousand times a draw. An update
-- that does not name a column cannot change it, so only those that do are looked at.
DROP TRIGGER draws_stay ON draws;
CREATE TRIGGER draws_stay BEFORE UPDATE
    OF rule, secret, commitment, root, fans, root_published_at, seed, evidence, opened_as_fifo
    ON draws FOR EACH ROW EXECUTE FUNCTION draws_keep_what_was_announced();
