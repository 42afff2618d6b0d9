-- Up Migration
BEGIN;
ALTER TABLE users ADD COLUMN phone VARCHAR(20);
COMMIT;

-- Down Migration
BEGIN;
ALTER TABLE users DROP COLUMN phone;
COMMIT;
