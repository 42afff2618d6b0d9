-- utility: one snapshot for all that is read, and names written with their schema
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL search_path = '';
