-- one row inserted per changed row of the month, as it is now
INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {columns}
FROM ONLY {default}
WHERE ({primary_key}) IN (SELECT {primary_key} FROM {changes} WHERE number = ANY (%(numbers)s))
  AND {key} >= %(lower)s AND {key} < %(upper)s
