-- utility: what is made from here on belongs to the log's own owner
SET ROLE pgkeel_audit;
