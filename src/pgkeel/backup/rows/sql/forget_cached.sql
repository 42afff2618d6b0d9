-- one row: nothing; no cache serves a row of before once this transaction commits
SELECT pgkeel.cache_bump();
