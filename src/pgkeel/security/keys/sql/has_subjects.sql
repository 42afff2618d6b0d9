-- one row: whether there is a table of persons' keys
SELECT to_regclass('pgkeel.subject_keys') IS NOT NULL AS found
ORDER BY 1
