REINDEX INDEX users_city_idx;
