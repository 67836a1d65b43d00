-- What the desk asks while a sale goes on: the orders of somebody who gives a name or an
-- address, without reading every order. A read model: the relay enters an order's words
-- after its payment has begun, so no order waits for it; `usher event views` compares it
-- with the orders and writes it anew.

-- The words of the name, however they are joined (`J.R.R`, `Müller/Weber`: Postgres would
-- take these for a host and a file), and the address as one word: by its parts (`org`) half
-- of all orders would be found. An empty word would be an error, at which the relay would stop;
-- longer texts than usher takes are cut, since a word has two kilobytes at most.
CREATE FUNCTION words_of_bill(billing jsonb) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_tsvector('simple'::regconfig,
            translate(left(coalesce(billing->>'name', ''), 300), './@_-+<>&~:', '           '))
        || CASE WHEN btrim(billing->>'email') <> ''
               THEN array_to_tsvector(ARRAY[lower(left(btrim(billing->>'email'), 300))])
               ELSE ''::tsvector END;

-- Without a foreign key, which would lock the orders, here and at each entry.
CREATE TABLE desk_words (
    order_id uuid     PRIMARY KEY,
    words    tsvector NOT NULL
);

INSERT INTO desk_words
SELECT o.id, words_of_bill(o.billing) FROM orders o JOIN payments p ON p.order_id = o.id;

-- Each entry at once: a list of pending ones would be read by every search.
CREATE INDEX desk_words_by_word ON desk_words USING gin (words) WITH (fastupdate = off);
