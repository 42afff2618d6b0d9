-- utility: which text of these files made the log
COMMENT ON TABLE audit.record IS {layout};
