-- one row: how many rows wait for a seal, and since when the oldest does
SELECT count(*) AS rows, min(entry.at) AS oldest
FROM audit.entries AS entry
WHERE entry.xid >= coalesce((SELECT max(seal.to_xid) FROM audit.seal WHERE seal.epoch = entry.epoch),
                          (SELECT epoch.first_xid FROM audit.epoch WHERE epoch.epoch = entry.epoch), 0);
