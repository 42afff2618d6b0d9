-- one row: a row whose second digest is no longer needed
UPDATE {table} AS target
SET {then} = NULL
FROM (SELECT {key} AS key FROM {table} WHERE {then} IS NOT NULL ORDER BY {key} LIMIT %(batch)s FOR UPDATE) AS given
WHERE target.{key} = given.key
RETURNING target.{key}
