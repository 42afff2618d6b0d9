-- one row: the newest seal
SELECT number, epoch, digest, sealed_at FROM audit.seal ORDER BY number DESC LIMIT 1;
