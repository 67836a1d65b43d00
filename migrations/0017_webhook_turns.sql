-- Turns at a webhook's endpoint are counted: what a process still writes whose lease
-- ran out beneath a slow delivery is told from what the present holder writes.

ALTER TABLE webhook_endpoints ADD COLUMN turn bigint NOT NULL DEFAULT 0;
