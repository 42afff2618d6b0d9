-- utility: one life of the log; a recovery begins another, for the transactions of a lost future never were, and so does a restore into
-- another cluster, which counts its transactions anew
CREATE TABLE IF NOT EXISTS audit.epoch (
    epoch integer PRIMARY KEY,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    first_xid bigint NOT NULL,
    after_seal bigint NOT NULL,
    reason text NOT NULL
);
ALTER TABLE audit.epoch ADD COLUMN IF NOT EXISTS system bigint;
UPDATE audit.epoch SET system = (SELECT system_identifier FROM pg_control_system()) WHERE system IS NULL;
