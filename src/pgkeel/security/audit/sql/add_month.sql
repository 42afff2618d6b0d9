-- utility: a partition of audit.log for one month in UTC
CREATE TABLE IF NOT EXISTS audit.{name} PARTITION OF audit.log FOR VALUES FROM ({lower}) TO ({upper});
