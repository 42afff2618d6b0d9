-- one row: whether the key is new, and what came of it when it is not
SELECT is_new, result::text AS result
FROM pgkeel.once_begin(%(key)s)
ORDER BY 1
