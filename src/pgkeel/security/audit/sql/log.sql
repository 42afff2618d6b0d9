-- utility: all that happened, whether it is sealed or waits for the next seal, which gives it its number; nobody writes here
CREATE OR REPLACE VIEW audit.log AS
SELECT seq, at, epoch, actor, db_role, table_name, row_id, operation, before, after FROM audit.record
UNION ALL
SELECT NULL, at, epoch, actor, db_role, table_name, row_id, operation, before, after FROM audit.waiting;
