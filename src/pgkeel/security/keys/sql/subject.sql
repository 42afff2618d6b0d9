-- one row: the key of a person, NULL of one who was erased
SELECT wrapped
FROM pgkeel.subject_keys
WHERE id = %(id)s
ORDER BY id
