-- one row: the newest seal of the log's present life; what a new life sealed of the one before is proved by its own seals
SELECT number, epoch, digest, sealed_at
FROM audit.seal
WHERE epoch = (SELECT max(epoch) FROM audit.epoch)
ORDER BY number DESC
LIMIT 1;
