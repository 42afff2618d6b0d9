-- one row: a row that is sealed
UPDATE {table} AS target
SET {sealed} = given.sealed
FROM unnest(%(keys)s, %(sealed)s::bytea[]) AS given (key, sealed)
WHERE target.{key} = given.key
RETURNING target.{key}
