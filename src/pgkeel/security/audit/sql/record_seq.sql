-- utility: numbers what is sealed; a seal waits for the one before, so no smaller number appears later
CREATE SEQUENCE IF NOT EXISTS audit.record_seq;
