-- utility: finds the seal of a row among the hundred thousands of a month
CREATE INDEX IF NOT EXISTS idx_seal_span ON audit.seal (epoch, month, to_xid);
