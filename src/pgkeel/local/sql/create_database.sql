-- utility: makes one database as a copy of another (WAL_LOG: about 40 ms for a small one, no checkpoint)
CREATE DATABASE {name} WITH TEMPLATE {template} OWNER {owner} STRATEGY wal_log
