-- utility: takes a month out of the log; its rows stay in a table of their own
ALTER TABLE audit.record DETACH PARTITION audit.{name};
