-- utility: writes the functions of one table, its columns written out
CREATE OR REPLACE FUNCTION audit.write_functions(target regclass, masked text[]) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    full_name text;
    stem text;
    key text[];
    columns text[];
    id_new text;
    id_old text;
    image text;
    form audit.form;
    changes text;
    small text;
    head text := 'LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS ';
    actor text := 'nullif(current_setting(''pgkeel.actor'', true), '''')';
BEGIN
    SELECT namespace.nspname || '.' || relation.relname,
           namespace.nspname || '__' || left(relation.relname, 40) || '_' || relation.oid
    INTO full_name, stem
    FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE relation.oid = target;

    SELECT array_agg(attribute.attname ORDER BY array_position(index.indkey::int2[], attribute.attnum)) INTO key
    FROM pg_index AS index
    JOIN pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = ANY (index.indkey)
    WHERE index.indrelid = target AND index.indisprimary;

    columns := audit.columns_of(target);

    -- the row's id: the key's column, or all of them joined
    SELECT CASE count(*) WHEN 1 THEN format('%%%%s.%%I::text', min(name))
           ELSE 'concat_ws('','', ' || string_agg(format('%%%%s.%%I', name), ', ' ORDER BY place) || ')' END INTO id_new
    FROM unnest(coalesce(key, columns)) WITH ORDINALITY AS named (name, place);
    id_old := format(id_new, VARIADIC array_fill('OLD'::text, ARRAY[cardinality(coalesce(key, columns))]));
    id_new := format(id_new, VARIADIC array_fill('NEW'::text, ARRAY[cardinality(coalesce(key, columns))]));

    -- a whole row: clear columns as they are, masked ones as "set"
    SELECT 'jsonb_strip_nulls(jsonb_build_object(' || string_agg(
               CASE WHEN name = ANY (masked) THEN format('%%L, CASE WHEN one.%%I IS NOT NULL THEN ''changed'' END', name, name)
                    ELSE format('%%L, one.%%I', name, name) END, ', ' ORDER BY place) || '))'
    INTO image
    FROM unnest(columns) WITH ORDINALITY AS named (name, place);

    -- an update: the small columns as they are, of each other one that changed the old and the new value, of a masked one that it
    -- changed; few expressions, for each that is reached is made ready anew in every transaction, and one column, for the same reason;
    -- types without an equality of pg_catalog are compared by their text
    form := audit.form_of(target, full_name, masked, key);
    SELECT string_agg(format(
               'IF OLD.%%1$I%%2$s IS DISTINCT FROM NEW.%%1$I%%2$s THEN c[%%3$L] := %%4$s; END IF;', name,
               CASE WHEN audit.compares(target, name) THEN '' ELSE '::text' END, name,
               CASE WHEN name = ANY (masked) THEN '''"changed"''' ELSE format('jsonb_build_array(OLD.%%1$I, NEW.%%1$I)', name) END),
               ' ' ORDER BY place)
    INTO changes
    FROM unnest(columns) WITH ORDINALITY AS named (name, place)
    WHERE name <> ALL (form.longs || form.ints || form.times || form.bools || form.uuids || form.texts);
    SELECT string_agg(CASE cardinality(kind.names) WHEN 0 THEN 'NULL' ELSE (
               SELECT 'ARRAY[' || string_agg('OLD.' || quote_ident(name), ', ' ORDER BY place) || ', '
                      || string_agg('NEW.' || quote_ident(name), ', ' ORDER BY place) || ']'
               FROM unnest(kind.names) WITH ORDINALITY AS named (name, place)) END, ', ' ORDER BY kind.place)
    INTO small
    FROM (VALUES (1, form.longs), (2, form.ints), (3, form.times), (4, form.bools), (5, form.uuids), (6, form.texts)) AS kind (place, names);

    EXECUTE format('CREATE OR REPLACE FUNCTION audit.%%I() RETURNS trigger %%s %%L', stem || '_update', head, format(
        'DECLARE c jsonb; BEGIN %%s INSERT INTO audit.updated (change) '
        'VALUES (ROW(clock_timestamp(), current_setting(''pgkeel.actor'', true), session_user, %%s, %%s, %%s, c)::audit.change); '
        'RETURN NULL; END', changes, form.form,
        CASE WHEN coalesce(form.long_key, form.int_key, form.uuid_key) IS NULL THEN id_new ELSE 'NULL' END, small));

    -- inserts and deletes come by the statement: one call for a bulk write
    EXECUTE format('CREATE OR REPLACE FUNCTION audit.%%I() RETURNS trigger %%s %%L', stem || '_insert', head, format(
        'BEGIN INSERT INTO audit.written (actor, table_name, row_id, operation, after) SELECT %%s, %%L, %%s, ''insert'', %%s '
        'FROM written AS one; RETURN NULL; END', actor, full_name, replace(id_new, 'NEW.', 'one.'), image));
    EXECUTE format('CREATE OR REPLACE FUNCTION audit.%%I() RETURNS trigger %%s %%L', stem || '_delete', head, format(
        'BEGIN INSERT INTO audit.written (actor, table_name, row_id, operation, before) SELECT %%s, %%L, %%s, ''delete'', %%s '
        'FROM gone AS one; RETURN NULL; END', actor, full_name, replace(id_old, 'OLD.', 'one.'), image));
    RETURN stem;
END
$body$;
