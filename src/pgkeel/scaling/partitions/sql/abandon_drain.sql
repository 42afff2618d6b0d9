-- utility: what an abandoned drain left behind, whatever of it there is; the rows are where they were
DROP TRIGGER IF EXISTS pgkeel_drain ON {default};
DROP TABLE IF EXISTS {rest}, {changes}, {progress};
DROP FUNCTION IF EXISTS {note}()
