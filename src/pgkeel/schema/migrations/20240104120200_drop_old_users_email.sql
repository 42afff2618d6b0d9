-- pgkeel: ignore MIG030 -- nothing has read the old column since the switch
-- Up Migration
BEGIN;
ALTER TABLE users ADD CONSTRAINT users_email_given CHECK (email IS NOT NULL) NOT VALID;
ALTER TABLE users ADD CONSTRAINT users_email_bidx_given CHECK (email_bidx IS NOT NULL) NOT VALID;
COMMIT;
BEGIN;
ALTER TABLE users VALIDATE CONSTRAINT users_email_given;
ALTER TABLE users VALIDATE CONSTRAINT users_email_bidx_given;
COMMIT;
BEGIN;
ALTER TABLE users ALTER COLUMN email SET NOT NULL;
ALTER TABLE users ALTER COLUMN email_bidx SET NOT NULL;
ALTER TABLE users DROP CONSTRAINT users_email_given;
ALTER TABLE users DROP CONSTRAINT users_email_bidx_given;
ALTER TABLE users DROP COLUMN email_clear;
COMMIT;

-- Down Migration
BEGIN;
ALTER TABLE users ADD COLUMN email_clear character varying(255);
ALTER TABLE users ALTER COLUMN email DROP NOT NULL;
ALTER TABLE users ALTER COLUMN email_bidx DROP NOT NULL;
COMMIT;
