-- one row: one of our event triggers and whether it is called by all that it is about
SELECT event.evtname AS name, event.evtenabled = 'A' AND event.evttags IS NULL AND proc.pronamespace = 'audit'::regnamespace
       AND (event.evtname, event.evtevent, proc.proname)
           IN (('pgkeel_audit_ddl', 'ddl_command_end', 'note_ddl'), ('pgkeel_audit_drop', 'sql_drop', 'note_drop')) AS is_enabled
FROM pg_event_trigger AS event JOIN pg_proc AS proc ON proc.oid = event.evtfoid
WHERE event.evtname IN ('pgkeel_audit_ddl', 'pgkeel_audit_drop')
ORDER BY name;
