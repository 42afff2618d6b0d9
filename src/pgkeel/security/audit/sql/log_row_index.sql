-- utility: the history of one row
CREATE INDEX IF NOT EXISTS idx_log_row ON audit.log (table_name, row_id);
