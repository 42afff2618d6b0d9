-- utility: the server's roles by their final names, each made where it is missing
DO $roles$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT role.name, role.kind
        FROM (
            VALUES
                ('pgkeel_owner', 'NOLOGIN'),
                ('pgkeel_rw', 'NOLOGIN'),
                ('pgkeel_ro', 'NOLOGIN'),
                ('pgkeel_migrator', 'LOGIN NOINHERIT'),
                ('pgkeel_app_a', 'LOGIN'),
                ('pgkeel_readonly_a', 'LOGIN'),
                ('pgkeel_monitor', 'LOGIN')
        ) AS role (name, kind)
        ORDER BY role.name
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name) THEN
            EXECUTE format('CREATE ROLE %%I %%s', wanted.name, wanted.kind);
        END IF;
    END LOOP;
END
$roles$;

-- every object that the migrator makes belongs to the owner, so that default privileges always apply
ALTER ROLE pgkeel_migrator SET role = 'pgkeel_owner';

-- a belt, not the barrier: the barrier is that the group may not write
ALTER ROLE pgkeel_readonly_a SET default_transaction_read_only = on;
