-- one row updated: the block at which the next batch starts
UPDATE {progress} SET next_block = %(next_block)s
