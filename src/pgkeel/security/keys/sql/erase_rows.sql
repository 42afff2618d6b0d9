-- one row: a row of a person, without what was sealed in it
UPDATE {table}
SET {column} = %(erased)s
WHERE {key}::text = %(id)s AND {column} IS NOT NULL AND {column} <> %(erased)s
RETURNING {key} AS key
