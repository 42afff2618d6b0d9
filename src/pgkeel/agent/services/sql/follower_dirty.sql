-- one row: the number of the epoch that begins now
SELECT pgkeel.cache_dirty() AS epoch
