-- utility: all that was noted, whether it lies in the log already or waits for the next seal
CREATE OR REPLACE VIEW audit.entries AS
SELECT seq, at, xid, epoch, actor, db_role, table_name, row_id, operation, before, after FROM audit.log
UNION ALL
SELECT seq, at, xid, epoch, actor, db_role, table_name, row_id, operation, before, after FROM audit.waiting;
