-- utility: numbers the rows of audit.log
CREATE SEQUENCE IF NOT EXISTS audit.log_seq CACHE 1;
