-- An order changes twice after it was recorded, and its payments twice. A new
-- version of a row costs an entry in each index, unless nothing changed that an
-- index is over and its page has room: then the indexes are left alone.

-- Whether the order has its seats, as `order_items.live`; unlike the state, it
-- stays as it is when a pending order is paid.
ALTER TABLE orders ADD COLUMN live boolean NOT NULL
    GENERATED ALWAYS AS (state IN ('pending', 'paid')) STORED;

-- An order is one attempt; a hold has at most one that is alive.
DROP INDEX orders_one_live_per_hold;
CREATE UNIQUE INDEX orders_one_live_per_hold ON orders (event_id, reservation_id) WHERE live;

-- Room for a second version of each row, until the first is cleared away.
ALTER TABLE orders SET (fillfactor = 50);
ALTER TABLE payments SET (fillfactor = 50);
ALTER TABLE test_payments SET (fillfactor = 50);
