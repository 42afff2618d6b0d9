-- one row: whether this login may make databases
SELECT rolsuper OR rolcreatedb AS may
FROM pg_roles
WHERE rolname = session_user
ORDER BY 1
