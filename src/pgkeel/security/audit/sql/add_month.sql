-- utility: a partition of audit.record for one month in UTC
CREATE TABLE IF NOT EXISTS audit.{name} PARTITION OF audit.record FOR VALUES FROM ({lower}) TO ({upper});
