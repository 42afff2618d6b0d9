BEGIN;
ALTER TABLE users ADD COLUMN city_id bigint;
COMMIT;
BEGIN;
ALTER TABLE orders ADD COLUMN city_id bigint;
COMMIT;
