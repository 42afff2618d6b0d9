-- utility: what the trigger of an update writes: of small columns the old values, then the new ones, compared by who reads them, for that
-- is done sooner for many rows at once; of the others what changed, as a pair, and of masked ones a text
DO $body$
BEGIN
    IF to_regtype('audit.change') IS NULL THEN
        CREATE TYPE audit.change AS (
            at timestamptz, actor text, db_role name, form integer, row_id text,
            longs bigint[], ints integer[], times timestamptz[], bools boolean[], uuids uuid[], texts varchar[], others jsonb
        );
    END IF;
END
$body$;
