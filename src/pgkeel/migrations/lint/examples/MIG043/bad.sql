DO $$
BEGIN
    EXECUTE format('ALTER TABLE %I ADD COLUMN plan text', current_setting('app.table'));
END $$;
