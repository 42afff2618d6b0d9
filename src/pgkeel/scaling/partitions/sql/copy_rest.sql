-- one row inserted per row in these blocks that no staged month takes
INSERT INTO {rest} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {columns}
FROM ONLY {default}
WHERE ctid >= %(first)s::tid AND ctid < %(last)s::tid
  AND (NOT isfinite({key}) OR date_trunc('month', {key} AT TIME ZONE 'UTC') <> ALL (%(months)s::timestamp[]))
ON CONFLICT DO NOTHING
