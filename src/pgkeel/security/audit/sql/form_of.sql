-- utility: the form of the changes of a table: its small columns that may be kept in clear, by their type; kept once
CREATE OR REPLACE FUNCTION audit.form_of(target regclass, named text, masked text[], key text[]) RETURNS audit.form
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    wanted audit.form;
    kept audit.form;
BEGIN
    SELECT coalesce(array_agg(attname ORDER BY attnum) FILTER (WHERE atttypid = 'bigint'::regtype), '{}') AS longs,
           coalesce(array_agg(attname ORDER BY attnum) FILTER (WHERE atttypid = 'integer'::regtype), '{}') AS ints,
           coalesce(array_agg(attname ORDER BY attnum) FILTER (WHERE atttypid = 'timestamptz'::regtype), '{}') AS times,
           coalesce(array_agg(attname ORDER BY attnum) FILTER (WHERE atttypid = 'boolean'::regtype), '{}') AS bools,
           coalesce(array_agg(attname ORDER BY attnum) FILTER (WHERE atttypid = 'uuid'::regtype), '{}') AS uuids,
           coalesce(array_agg(attname ORDER BY attnum) FILTER (WHERE atttypid = 'varchar'::regtype AND atttypmod BETWEEN 4 AND 68), '{}')
               AS texts -- of 64 characters at most
    INTO wanted.longs, wanted.ints, wanted.times, wanted.bools, wanted.uuids, wanted.texts
    FROM pg_attribute
    WHERE attrelid = target AND attnum > 0 AND NOT attisdropped AND attname <> ALL (masked);
    IF cardinality(key) = 1 THEN
        wanted.long_key := cardinality(wanted.longs) + array_position(wanted.longs, key[1]);
        wanted.int_key := cardinality(wanted.ints) + array_position(wanted.ints, key[1]);
        wanted.uuid_key := cardinality(wanted.uuids) + array_position(wanted.uuids, key[1]);
    END IF;

    SELECT * INTO kept FROM audit.form
    WHERE ROW(form.table_name, form.longs, form.ints, form.times, form.bools, form.uuids, form.texts,
              form.long_key, form.int_key, form.uuid_key)
          IS NOT DISTINCT FROM
          ROW(named, wanted.longs, wanted.ints, wanted.times, wanted.bools, wanted.uuids, wanted.texts,
              wanted.long_key, wanted.int_key, wanted.uuid_key);
    IF NOT FOUND THEN
        INSERT INTO audit.form (table_name, longs, ints, times, bools, uuids, texts, long_key, int_key, uuid_key)
        VALUES (named, wanted.longs, wanted.ints, wanted.times, wanted.bools, wanted.uuids, wanted.texts,
                wanted.long_key, wanted.int_key, wanted.uuid_key)
        RETURNING * INTO kept;
    END IF;
    RETURN kept;
END
$body$;
