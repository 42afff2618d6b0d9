BEGIN;
CREATE POLICY own_rows ON invoices USING (tenant = current_setting('app.tenant'));
ALTER TABLE invoices ENABLE ROW LEVEL SECURITY;
COMMIT;
