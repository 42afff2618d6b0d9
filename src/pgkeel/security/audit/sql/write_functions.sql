-- utility: writes the functions of one table, its columns written out, and returns what their names begin with
CREATE OR REPLACE FUNCTION audit.write_functions(target regclass, masked text[]) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    stem text;
    is_parted boolean;
    inserted text := 'one';
    deleted text := 'one';
    full_name text := audit.name_of(target);
    columns text[] := audit.columns_of(target);
    form audit.form;
    changes text;
    small text;
    head text := 'LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS ';
    actor text := 'nullif(current_setting(''pgkeel.actor'', true), '''')';
BEGIN
    -- a longer name would be cut, and the functions of a table were one
    SELECT audit.cut(namespace.nspname, 12) || '__' || audit.cut(relation.relname, 25) || '_' || relation.oid
           || CASE relation.relkind WHEN 'p' THEN '_parts' ELSE '' END, relation.relkind = 'p'
    INTO stem, is_parted
    FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE relation.oid = target;

    -- an update: the small columns as they are, of each other one that changed the old and the new value, of a masked one that it
    -- changed; few expressions, for each that is reached is made ready anew in every transaction, and one column, for the same reason;
    -- types without an equality of pg_catalog are compared by their text
    form := audit.form_of(target, full_name, masked, audit.key_of(target));
    SELECT string_agg(format(
               'IF OLD.%%1$I%%2$s IS DISTINCT FROM NEW.%%1$I%%2$s THEN c[%%3$L] := %%4$s; END IF;', name,
               CASE WHEN audit.compares(target, name) THEN '' ELSE '::text' END, name,
               CASE WHEN name = ANY (masked) THEN '''"changed"''' ELSE format('jsonb_build_array(%%s, %%s)', audit.value_of(target, 'OLD', name), audit.value_of(target, 'NEW', name)) END),
               ' ' ORDER BY place)
    INTO changes
    FROM unnest(columns) WITH ORDINALITY AS column_of (name, place)
    WHERE name <> ALL (form.longs || form.ints || form.times || form.bools || form.uuids || form.texts);
    SELECT string_agg(CASE cardinality(kind.names) WHEN 0 THEN 'NULL' ELSE (
               SELECT 'ARRAY[' || string_agg('OLD.' || quote_ident(name), ', ' ORDER BY place) || ', '
                      || string_agg('NEW.' || quote_ident(name), ', ' ORDER BY place) || ']'
               FROM unnest(kind.names) WITH ORDINALITY AS column_of (name, place)) END, ', ' ORDER BY kind.place)
    INTO small
    FROM (VALUES (1, form.longs), (2, form.ints), (3, form.times), (4, form.bools), (5, form.uuids), (6, form.texts)) AS kind (place, names);

    EXECUTE format('CREATE OR REPLACE FUNCTION audit.%%I() RETURNS trigger %%s %%L', stem || '_update', head, format(
        'DECLARE c jsonb; BEGIN %%s INSERT INTO audit.updated (change) '
        'VALUES (ROW(clock_timestamp(), current_setting(''pgkeel.actor'', true), session_user, %%s, %%s, %%s, c)::audit.change); '
        'RETURN NULL; END', changes, form.form,
        CASE WHEN coalesce(form.long_key, form.int_key, form.uuid_key) IS NULL THEN audit.id_of(target, masked, 'NEW') ELSE 'NULL' END, small));

    -- inserts and deletes come by the statement: one call for a bulk write; those of partitions by the row, for a statement that names a
    -- partition calls no trigger of the whole, and a row that an update moves is deleted here and inserted there
    IF is_parted THEN
        inserted := 'NEW';
        deleted := 'OLD';
    END IF;
    EXECUTE format('CREATE OR REPLACE FUNCTION audit.%%I() RETURNS trigger %%s %%L', stem || '_insert', head, format(
        'BEGIN INSERT INTO audit.written (actor, table_name, row_id, operation, after) SELECT %%s, %%L, %%s, ''insert'', %%s %%s; '
        'RETURN NULL; END', actor, full_name, audit.id_of(target, masked, inserted), audit.image_of(target, masked, inserted),
        CASE WHEN NOT is_parted THEN 'FROM written AS one' END));
    EXECUTE format('CREATE OR REPLACE FUNCTION audit.%%I() RETURNS trigger %%s %%L', stem || '_delete', head, format(
        'BEGIN INSERT INTO audit.written (actor, table_name, row_id, operation, before) SELECT %%s, %%L, %%s, ''delete'', %%s %%s; '
        'RETURN NULL; END', actor, full_name, audit.id_of(target, masked, deleted), audit.image_of(target, masked, deleted),
        CASE WHEN NOT is_parted THEN 'FROM gone AS one' END));
    RETURN stem;
END
$body$;
