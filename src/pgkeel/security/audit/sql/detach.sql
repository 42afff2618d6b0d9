-- utility: takes a month out of the log; its rows stay in a table of their own
ALTER TABLE audit.log DETACH PARTITION audit.{name};
