-- utility: from here on every change of the default partition is noted, so that copies can follow it
CREATE TABLE {rest} (LIKE {default} INCLUDING INDEXES);
CREATE TABLE {changes} AS SELECT {primary_key} FROM ONLY {default} WITH NO DATA;
ALTER TABLE {changes} ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
CREATE FUNCTION {note}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $note$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO {changes} ({primary_key}) VALUES ({old_key});
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO {changes} ({primary_key}) VALUES ({new_key});
    END IF;
    RETURN NULL;
END
$note$;
CREATE TRIGGER pgkeel_drain AFTER INSERT OR UPDATE OR DELETE ON {default} FOR EACH ROW EXECUTE FUNCTION {note}();
ALTER TABLE {default} ENABLE ALWAYS TRIGGER pgkeel_drain;
CREATE TABLE {progress} (next_block bigint NOT NULL, blocks bigint NOT NULL, file oid NOT NULL)
