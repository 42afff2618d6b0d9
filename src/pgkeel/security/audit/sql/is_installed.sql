-- one row: whether the log is here, whether it has its place (which `security roles apply` makes), and who asks
SELECT EXISTS (SELECT FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
               WHERE namespace.nspname = 'audit' AND relation.relname = 'watched') AS is_installed,
       to_regnamespace('audit') IS NOT NULL AND to_regrole('pgkeel_audit') IS NOT NULL AS has_place,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
       coalesce(has_schema_privilege(to_regnamespace('audit'), 'USAGE'), false) AS may_read,
       coalesce(pg_has_role(current_user, to_regrole('pgkeel_audit'), 'USAGE'), false) AS may_seal,
       current_user AS role;
