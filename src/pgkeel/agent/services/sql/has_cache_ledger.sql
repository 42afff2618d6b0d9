-- whether the database has what the cache must know of it
SELECT to_regclass('pgkeel.cache_generation') IS NOT NULL AS known
