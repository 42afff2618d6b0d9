-- one row: a waiting row whose value is sealed by today's key, with its digests
UPDATE {waiting} AS target
SET {column} = given.sealed, {now} = given.digest, {then} = given.next_digest
FROM unnest(%(keys)s, %(sealed)s::bytea[], %(digests)s::bytea[], %(next_digests)s::bytea[]) AS given (key, sealed, digest, next_digest)
WHERE target.{key} = given.key
RETURNING target.{key}
