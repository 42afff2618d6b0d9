-- one row a statement that wrote a watched table; gone when the transaction commits
SELECT relation, keys FROM pgkeel.cache_drain(%(most)s) ORDER BY relation
