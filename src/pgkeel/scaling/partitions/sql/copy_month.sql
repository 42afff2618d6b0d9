-- one row inserted per row of the month in these blocks; one that is there already is brought up to date by its note
INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {columns}
FROM ONLY {default}
WHERE ctid >= %(first)s::tid AND ctid < %(last)s::tid
  AND {key} >= %(lower)s AND {key} < %(upper)s
ON CONFLICT DO NOTHING
