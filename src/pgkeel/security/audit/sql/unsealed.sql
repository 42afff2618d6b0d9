-- one row: how many rows wait for a seal, and since when the oldest does
SELECT count(*) AS rows, min(at) AS oldest FROM audit.waiting ORDER BY 1;
