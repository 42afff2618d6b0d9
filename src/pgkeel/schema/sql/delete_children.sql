-- utility: deletes the children of a row that is soft-deleted; arguments: child table, its column, the parent's column
CREATE OR REPLACE FUNCTION delete_children() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    EXECUTE format('DELETE FROM %I.%I WHERE %I = ($1).%I', TG_TABLE_SCHEMA, TG_ARGV[0], TG_ARGV[1], TG_ARGV[2]) USING NEW;
    RETURN NULL;
END
$function$
