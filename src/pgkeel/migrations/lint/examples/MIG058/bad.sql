DROP INDEX CONCURRENTLY users_name_idx, users_city_idx;
