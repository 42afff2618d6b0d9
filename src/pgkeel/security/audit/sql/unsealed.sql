-- one row: how many rows wait for a seal, and since when the oldest does
SELECT count(*) AS rows, min(log.at) AS oldest
FROM audit.log
WHERE log.xid >= coalesce((SELECT max(seal.to_xid) FROM audit.seal WHERE seal.epoch = log.epoch),
                          (SELECT epoch.first_xid FROM audit.epoch WHERE epoch.epoch = log.epoch), 0);
