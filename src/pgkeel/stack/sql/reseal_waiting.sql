-- one row: a waiting row whose value is sealed by today's key
UPDATE {waiting} AS target
SET {column} = given.sealed
FROM unnest(%(keys)s, %(sealed)s::bytea[]) AS given (key, sealed)
WHERE target.{key} = given.key
RETURNING target.{key}
