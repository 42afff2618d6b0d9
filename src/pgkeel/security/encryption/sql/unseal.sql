-- one row: a row whose clear value stands beside the sealed one
UPDATE {table} AS target
SET {sealed} = given.clear
FROM unnest(%(keys)s, %(clear)s::text[]) AS given (key, clear)
WHERE target.{key} = given.key
RETURNING target.{key}
