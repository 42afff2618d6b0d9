-- one row: nothing; no cache serves what it held of these tables (* is all) once this transaction commits
SELECT pgkeel.cache_bump(VARIADIC %(tables)s::text[]);
