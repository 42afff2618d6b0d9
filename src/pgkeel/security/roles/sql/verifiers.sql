-- one row: a login role and the verifier of its password, NULL where it has none
SELECT rolname, rolpassword
FROM pg_catalog.pg_authid
WHERE rolname = ANY (%(logins)s)
ORDER BY rolname;
