CREATE INDEX CONCURRENTLY users_city_idx ON users (city, street) INCLUDE (last_name, first_name);
