-- utility: what is made in this transaction belongs to the log's own owner
SET LOCAL ROLE pgkeel_audit;
