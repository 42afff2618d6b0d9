-- utility: refuses to soft-delete a row that has children; arguments: child table, its column, the parent's column, a further condition
CREATE OR REPLACE FUNCTION refuse_soft_delete() RETURNS trigger
LANGUAGE plpgsql
AS $function$
DECLARE
    has_children boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I WHERE %I = ($1).%I%s)',
                   TG_TABLE_SCHEMA, TG_ARGV[0], TG_ARGV[1], TG_ARGV[2], TG_ARGV[3])
    INTO has_children
    USING NEW;
    IF has_children THEN
        RAISE EXCEPTION 'a row of % that has rows in % cannot be soft-deleted', TG_TABLE_NAME, TG_ARGV[0]
            USING ERRCODE = 'restrict_violation', TABLE = TG_ARGV[0], COLUMN = TG_ARGV[1];
    END IF;
    RETURN NULL;
END
$function$
