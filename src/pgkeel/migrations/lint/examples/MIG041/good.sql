BEGIN;
ALTER TABLE users ADD COLUMN plan text DEFAULT 'free';
INSERT INTO plans (name) VALUES ('free');
COMMIT;
