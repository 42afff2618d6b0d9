-- utility: somebody disabled it
ALTER EVENT TRIGGER pgkeel_audit_drop ENABLE;
