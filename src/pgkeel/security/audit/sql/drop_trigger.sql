-- utility: calls audit.note_drop after every DROP
CREATE EVENT TRIGGER pgkeel_audit_drop ON sql_drop EXECUTE FUNCTION audit.note_drop();
ALTER EVENT TRIGGER pgkeel_audit_drop ENABLE ALWAYS;
