BEGIN;
ALTER TABLE users ADD COLUMN plan text;
UPDATE users SET plan = 'free' WHERE created_at < '2024-01-01';
COMMIT;
