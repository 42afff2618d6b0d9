-- one row: a column whose table was rewritten
INSERT INTO pgkeel.scrubs (column_name, filenode, wal)
VALUES (%(name)s, pg_relation_filenode(to_regclass(%(table)s::text)), pg_current_wal_insert_lsn())
ON CONFLICT (column_name) DO UPDATE
SET filenode = EXCLUDED.filenode, wal = EXCLUDED.wal, at = clock_timestamp()
RETURNING column_name
