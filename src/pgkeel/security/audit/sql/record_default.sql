-- utility: takes rows of a month that has no partition yet: a seal must never fail because of that
CREATE TABLE IF NOT EXISTS audit.log_default PARTITION OF audit.record DEFAULT;
