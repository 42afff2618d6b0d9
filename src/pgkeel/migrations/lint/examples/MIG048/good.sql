ALTER TABLE users ADD COLUMN second_phone text;
