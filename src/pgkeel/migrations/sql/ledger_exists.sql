-- one row: whether the schema and the ledger are there
SELECT to_regnamespace('pgkeel') IS NOT NULL AS has_schema,
       to_regclass('pgkeel.migrations') IS NOT NULL AS has_ledger
ORDER BY 1
