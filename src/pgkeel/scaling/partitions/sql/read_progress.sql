-- one row: how far the copy is, and whether the default partition still is the file that it began with
SELECT next_block,
       blocks,
       file = pg_relation_filenode(%(default)s::regclass) AS is_same_file
FROM {progress}
ORDER BY next_block
