-- the number of the epoch that begins: a write is about to commit that the cache cannot be told of
SELECT pgkeel.cache_dirty() AS epoch
