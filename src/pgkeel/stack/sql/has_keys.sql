-- one row: whether the table of the keys is here
SELECT to_regclass('pgkeel.keys') IS NOT NULL AS has_keys ORDER BY 1
