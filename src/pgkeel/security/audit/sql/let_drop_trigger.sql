-- utility: somebody disabled or replaced it
DROP EVENT TRIGGER pgkeel_audit_drop;
