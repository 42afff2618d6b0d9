-- one row: a row whose value the active key seals, with its digests; one that was written meanwhile is left to the next round
UPDATE {table} AS target
SET {column} = given.fresh, {now} = given.digest, {then} = given.next_digest
FROM unnest(%(keys)s, %(sealed)s::bytea[], %(fresh)s::bytea[], %(digests)s::bytea[], %(next_digests)s::bytea[])
    AS given (key, sealed, fresh, digest, next_digest)
WHERE target.{key} = given.key AND target.{column} = given.sealed
RETURNING target.{key}
