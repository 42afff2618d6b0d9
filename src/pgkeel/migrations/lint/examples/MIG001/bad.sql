CREATE INDEX users_city_idx ON users (city);
