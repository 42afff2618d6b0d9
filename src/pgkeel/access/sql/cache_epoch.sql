-- the epoch that a cache must be in, as server:timeline:number; on the primary
SELECT pgkeel.cache_epoch() AS epoch
