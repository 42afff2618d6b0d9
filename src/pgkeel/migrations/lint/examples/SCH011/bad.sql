ALTER TABLE orders ADD COLUMN total_price double precision;
ALTER TABLE orders ADD COLUMN fee money;
