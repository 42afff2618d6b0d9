-- one row a table whose rows became unknown to caches, and how often
SELECT relation, generation FROM pgkeel.cache_generation ORDER BY relation
