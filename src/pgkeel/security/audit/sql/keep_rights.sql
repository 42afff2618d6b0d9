-- one row: nothing new; the rights of all objects are known then
SELECT audit.note_rights(NULL, false) AS noted
ORDER BY 1;
