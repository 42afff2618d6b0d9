-- A database that one can connect to.
SELECT datname AS name FROM pg_database WHERE datallowconn ORDER BY datname;
