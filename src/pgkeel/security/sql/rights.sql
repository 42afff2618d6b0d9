-- utility: who may do what in one database; tables made later are covered, because FOR ROLE names who makes them
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
GRANT CONNECT ON DATABASE {database} TO pgkeel_migrator, pgkeel_rw, pgkeel_ro, pgkeel_monitor;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO pgkeel_rw, pgkeel_ro;

CREATE SCHEMA IF NOT EXISTS pgkeel AUTHORIZATION pgkeel_owner;
REVOKE ALL ON SCHEMA pgkeel FROM PUBLIC;
GRANT USAGE ON SCHEMA pgkeel TO pgkeel_rw, pgkeel_monitor;

-- must not name a schema: EXECUTE for PUBLIC is a global default, and revoking it in one schema does nothing
ALTER DEFAULT PRIVILEGES FOR ROLE pgkeel_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

ALTER DEFAULT PRIVILEGES FOR ROLE pgkeel_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO pgkeel_rw;
ALTER DEFAULT PRIVILEGES FOR ROLE pgkeel_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO pgkeel_rw;
ALTER DEFAULT PRIVILEGES FOR ROLE pgkeel_owner IN SCHEMA public
    GRANT EXECUTE ON FUNCTIONS TO pgkeel_rw;
ALTER DEFAULT PRIVILEGES FOR ROLE pgkeel_owner IN SCHEMA public
    GRANT SELECT ON TABLES TO pgkeel_ro;
ALTER DEFAULT PRIVILEGES FOR ROLE pgkeel_owner IN SCHEMA public
    GRANT SELECT ON SEQUENCES TO pgkeel_ro;
