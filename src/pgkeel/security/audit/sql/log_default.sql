-- utility: takes rows of a month that has no partition yet: a write must never fail because of the log
CREATE TABLE IF NOT EXISTS audit.log_default PARTITION OF audit.log DEFAULT;
