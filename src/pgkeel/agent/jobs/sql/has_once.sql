-- one row: whether idempotency keys are kept here
SELECT to_regclass('pgkeel.once') IS NOT NULL AS has_once
ORDER BY 1
