-- one row: the copy starts at the first block and ends at the one that is last now; later rows are noted
INSERT INTO {progress} (next_block, blocks, file)
SELECT 0,
       pg_relation_size(%(default)s::regclass) / current_setting('block_size')::bigint,
       pg_relation_filenode(%(default)s::regclass)
