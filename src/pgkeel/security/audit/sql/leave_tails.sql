-- one row: a part of the log whose last pages are not summed up: each row that is written to them would else be summed up at once
SELECT brin_desummarize_range(found.indexrelid, greatest(pg_relation_size(found.indrelid) / current_setting('block_size')::integer - 1, 0))
FROM pg_inherits
JOIN pg_index AS found ON found.indrelid = pg_inherits.inhrelid
JOIN pg_class AS class ON class.oid = found.indexrelid
JOIN pg_am ON pg_am.oid = class.relam AND pg_am.amname = 'brin'
WHERE pg_inherits.inhparent = 'audit.record'::regclass
ORDER BY found.indexrelid;
