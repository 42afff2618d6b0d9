ALTER TABLE orders ADD COLUMN total_price numeric(19, 4);
ALTER TABLE places ADD COLUMN latitude double precision;
