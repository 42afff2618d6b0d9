-- pgkeel: ignore MIG030 -- nothing has read the old column since the switch
-- Up Migration
{prove}BEGIN;
{require}ALTER TABLE {table} DROP COLUMN {clear};
{drop_beside}COMMIT;

-- Down Migration
BEGIN;
ALTER TABLE {table} ADD COLUMN {clear} {type}{default};
{add_beside}{unrequire}COMMIT;
