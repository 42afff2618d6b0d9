-- one row: a row whose value the active key seals; one that was written meanwhile is left to the next round
UPDATE {table} AS target
SET {column} = given.fresh
FROM unnest(%(keys)s, %(sealed)s::bytea[], %(fresh)s::bytea[]) AS given (key, sealed, fresh)
WHERE target.{key} = given.key AND target.{column} = given.sealed
RETURNING target.{key}
