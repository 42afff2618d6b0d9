-- utility: who is in which group, from PostgreSQL 16 on: the migrator may become the owner, the others only use their group's rights
GRANT pgkeel_owner TO pgkeel_migrator WITH INHERIT FALSE, SET TRUE;
GRANT pgkeel_rw TO pgkeel_app_a WITH INHERIT TRUE, SET FALSE;
GRANT pgkeel_ro TO pgkeel_readonly_a WITH INHERIT TRUE, SET FALSE;
GRANT pg_monitor TO pgkeel_monitor WITH INHERIT TRUE, SET FALSE;
