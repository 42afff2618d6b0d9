-- the first epoch begins with the log
INSERT INTO audit.epoch (epoch, first_xid, after_seal, reason)
SELECT 1, pg_snapshot_xmin(pg_current_snapshot())::text::bigint, 0, 'installed'
WHERE NOT EXISTS (SELECT FROM audit.epoch);
