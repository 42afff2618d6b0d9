-- utility: small, for what is read in order: batches to seal, and spans of time
CREATE INDEX IF NOT EXISTS idx_log_place ON audit.log USING brin (xid, seq, at);
