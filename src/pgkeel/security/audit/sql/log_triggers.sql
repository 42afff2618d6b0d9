-- utility: a write to the view is refused, also one that would find no row
CREATE OR REPLACE TRIGGER refuse_rows INSTEAD OF INSERT OR UPDATE OR DELETE ON audit.log FOR EACH ROW EXECUTE FUNCTION audit.refuse();
CREATE OR REPLACE TRIGGER refuse_statements BEFORE UPDATE OR DELETE ON audit.log FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse();
