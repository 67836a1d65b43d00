-- What a backend was measured to bear before a sale, with the steps that show it:
-- from there auto begins. One row an event, the newest measurement.

CREATE TABLE admission_calibrations (
    event_id       uuid             PRIMARY KEY,
    at             timestamptz      NOT NULL,
    requests_per_s double precision NOT NULL CHECK (requests_per_s > 0 AND requests_per_s < 1e7),
    evidence       jsonb            NOT NULL
);
