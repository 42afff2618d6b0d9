-- utility: the next count in this transaction reads pages.
SET LOCAL enable_indexonlyscan = off
