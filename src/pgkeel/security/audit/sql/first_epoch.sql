-- the first epoch begins with the log
SELECT audit.begin_epoch('installed', 1)
WHERE NOT EXISTS (SELECT FROM audit.epoch);
