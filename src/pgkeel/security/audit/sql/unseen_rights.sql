-- one row: on how many objects rights changed that no event trigger has seen
SELECT audit.note_rights('GRANT or REVOKE', false) AS noted
ORDER BY 1;
