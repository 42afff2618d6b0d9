-- utility: calls audit.note_ddl after every DDL statement and GRANT
CREATE EVENT TRIGGER pgkeel_audit_ddl ON ddl_command_end EXECUTE FUNCTION audit.note_ddl();
ALTER EVENT TRIGGER pgkeel_audit_ddl ENABLE ALWAYS;
