-- utility: what the drain needed is no longer needed
DROP TABLE {rest}, {changes}, {progress};
DROP FUNCTION {note}()
