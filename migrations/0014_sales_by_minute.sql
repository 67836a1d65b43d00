-- A read model: what was sold in each minute. The relay folds it from the event
-- store in the transaction that publishes, so orders wait for nothing;
-- `usher event views` compares it with the store and rebuilds it.
CREATE TABLE sales_by_minute (
    event_id uuid        NOT NULL,
    minute   timestamptz NOT NULL,
    orders   bigint      NOT NULL,
    tickets  bigint      NOT NULL,
    amount   bigint      NOT NULL,
    PRIMARY KEY (event_id, minute)
) WITH (fillfactor = 70);

INSERT INTO sales_by_minute
SELECT event_id, date_trunc('minute', at), count(*), sum((payload->>'tickets')::bigint),
    sum((payload->'total'->>'amount')::bigint)
FROM domain_events
WHERE kind = 'BookingConfirmed' AND id NOT IN (SELECT id FROM outbox)
GROUP BY 1, 2;
