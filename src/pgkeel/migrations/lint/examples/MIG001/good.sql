CREATE INDEX CONCURRENTLY users_city_idx ON users (city);
