-- one row: whether a crash emptied the outbox (then another epoch has begun), the epoch that a cache must be in, how often the rows of
-- each table became unknown to caches, and whether somebody wrote a watched table
SELECT pgkeel.cache_outbox_lost() AS is_lost,
       pgkeel.cache_epoch() AS epoch,
       (SELECT coalesce(jsonb_object_agg(relation, generation), '{}') FROM pgkeel.cache_generation) AS generations,
       EXISTS (SELECT FROM pgkeel.cache_outbox WHERE relation <> '') AS has_notes
ORDER BY 1
