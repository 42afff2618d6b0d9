-- the epoch that a cache must be in, as server:timeline:number
SELECT pgkeel.cache_epoch() AS epoch
