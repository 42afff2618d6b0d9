-- one row: whether caches can be told that rows changed behind their back
SELECT to_regprocedure('pgkeel.cache_bump(text[])') IS NOT NULL AS has_ledger;
