CREATE INDEX CONCURRENTLY users_wide_idx ON users (city, street, last_name, first_name);
