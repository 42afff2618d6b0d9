-- utility: which text of these files made the log
COMMENT ON TABLE audit.log IS {layout};
