DO $check$
BEGIN
    IF EXISTS (SELECT FROM {table} WHERE {old} IS NOT NULL AND {new} IS NULL) THEN
        RAISE EXCEPTION '{said}'
            USING ERRCODE = 'data_exception', HINT = 'correct the rows WHERE {hint}';
    END IF;
END $check$;
