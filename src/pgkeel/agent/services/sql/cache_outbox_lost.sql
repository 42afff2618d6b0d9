-- whether the outbox was emptied by a crash; then another epoch has begun
SELECT pgkeel.cache_outbox_lost() AS lost
