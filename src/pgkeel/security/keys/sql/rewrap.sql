-- one row: a key that another provider wrapped
UPDATE pgkeel.keys
SET provider = %(provider)s, wrapped = %(wrapped)s
WHERE id = %(id)s AND state <> 'destroyed'
RETURNING id
