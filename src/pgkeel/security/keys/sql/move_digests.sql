-- one row: a row that is found by the active key's digest from now on
UPDATE {table} AS target
SET {now} = target.{then}
FROM (SELECT {key} AS key FROM {table} WHERE {then} IS NOT NULL AND {now} <> {then} ORDER BY {key} LIMIT %(batch)s FOR UPDATE) AS given
WHERE target.{key} = given.key
RETURNING target.{key}
