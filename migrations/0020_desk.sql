-- What the desk asks while a sale goes on: the orders of somebody who gives a name or an
-- address, without reading every order.

-- The words of the name, and the address as one word: by its parts (`org`) half of all
-- orders would be found, and each order would cost more to enter.
CREATE FUNCTION words_of_bill(billing jsonb) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_tsvector('simple'::regconfig, coalesce(billing->>'name', ''))
        || CASE WHEN billing->>'email' <> ''
               THEN array_to_tsvector(ARRAY[lower(billing->>'email')])
               ELSE ''::tsvector END;

-- Each order enters its words at once: a list of pending entries would be worked off in
-- the middle of a sale, by a batch of orders that waits for it.
CREATE INDEX orders_by_words ON orders USING gin (words_of_bill(billing)) WITH (fastupdate = off);
