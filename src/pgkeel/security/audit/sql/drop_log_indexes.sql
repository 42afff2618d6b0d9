-- utility: what idx_log_find stands in for; a btree cost each audited write nearly as much as its row did
DROP INDEX IF EXISTS audit.idx_log_row, audit.idx_log_place;
