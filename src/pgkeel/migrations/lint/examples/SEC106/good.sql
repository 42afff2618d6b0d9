ALTER POLICY own_rows ON invoices USING (tenant = current_setting('app.tenant'));
