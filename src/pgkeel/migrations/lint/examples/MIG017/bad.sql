ALTER TABLE bookings ADD CONSTRAINT bookings_apart EXCLUDE USING gist (room WITH =, stay WITH &&);
