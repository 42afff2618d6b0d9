-- one row: a row of a person, without what was sealed in it and without the digest by which it was found
UPDATE {table}
SET {column} = %(erased)s, {now} = %(digest)s, {then} = NULL
WHERE {key}::text = %(id)s AND {column} IS NOT NULL AND {column} <> %(erased)s
RETURNING {key} AS key
