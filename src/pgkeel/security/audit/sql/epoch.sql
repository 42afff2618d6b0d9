-- utility: one life of the log; a recovery begins another, for the transactions of a lost future never were
CREATE TABLE IF NOT EXISTS audit.epoch (
    epoch integer PRIMARY KEY,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    first_xid bigint NOT NULL,
    after_seal bigint NOT NULL,
    reason text NOT NULL
);
