-- pgkeel: ignore MIG030 -- nothing has read the old column since the switch
-- Up Migration
BEGIN;
ALTER TABLE users DROP COLUMN phone_clear;
COMMIT;

-- Down Migration
BEGIN;
ALTER TABLE users ADD COLUMN phone_clear character varying(20);
COMMIT;
