-- one row: a row that is sealed, with its digests
UPDATE {table} AS target
SET {sealed} = given.sealed, {now} = given.digest, {then} = given.next_digest
FROM unnest(%(keys)s, %(sealed)s::bytea[], %(digests)s::bytea[], %(next_digests)s::bytea[])
    AS given (key, sealed, digest, next_digest)
WHERE target.{key} = given.key
RETURNING target.{key}
