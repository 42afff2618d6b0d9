CREATE INDEX CONCURRENTLY users_by_city_idx ON users (city);
