-- utility: appliers in other databases wait, too: roles are the whole server's, and an advisory lock is its database's
LOCK TABLE pg_catalog.pg_auth_members IN SHARE ROW EXCLUSIVE MODE
