-- utility: one life of the log; a recovery begins another, for the transactions of a lost future never were, and so does a restore
-- into another database, where transactions and objects have other numbers
CREATE TABLE IF NOT EXISTS audit.epoch (
    epoch integer PRIMARY KEY,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    after_seal bigint NOT NULL,
    reason text NOT NULL
);
ALTER TABLE audit.epoch DROP COLUMN IF EXISTS first_xid, ADD COLUMN IF NOT EXISTS place text; -- the cluster and its database
UPDATE audit.epoch SET place = audit.place() WHERE place IS NULL;
