-- utility: who is in which group, on PostgreSQL 15, where inheriting is the login's own attribute
GRANT pgkeel_owner TO pgkeel_migrator;
GRANT pgkeel_rw TO pgkeel_app_a;
GRANT pgkeel_ro TO pgkeel_readonly_a;
GRANT pg_monitor TO pgkeel_monitor;
