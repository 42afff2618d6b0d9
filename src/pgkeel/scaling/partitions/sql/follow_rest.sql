-- one row inserted per changed row that no staged month takes, as it is now
INSERT INTO {rest} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {columns}
FROM ONLY {default}
WHERE ({primary_key}) IN (SELECT {primary_key} FROM {changes} WHERE number = ANY (%(numbers)s))
  AND (NOT isfinite({key}) OR date_trunc('month', {key} AT TIME ZONE 'UTC') <> ALL (%(months)s::timestamp[]))
