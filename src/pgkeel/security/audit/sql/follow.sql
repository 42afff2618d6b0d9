-- one row: nothing; the partition has its own trigger then
SELECT audit.watch_truncate(%(name)s::regclass);
