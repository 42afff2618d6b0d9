-- The timeline that the control file names.
SELECT timeline_id FROM pg_control_checkpoint();
