-- one row: one of our event triggers and whether it is enabled
SELECT evtname AS name, evtenabled <> 'D' AS is_enabled
FROM pg_event_trigger
WHERE evtname IN ('pgkeel_audit_ddl', 'pgkeel_audit_drop')
ORDER BY name;
