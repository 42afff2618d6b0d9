-- utility: soft-deletes the children of a row with it and restores exactly those; arguments: child table, its column, the parent's column, further assignments
CREATE OR REPLACE FUNCTION soft_delete_children() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    IF OLD.deleted_at IS NULL THEN
        EXECUTE format('UPDATE %I.%I SET deleted_at = ($1).deleted_at%s WHERE %I = ($1).%I AND deleted_at IS NULL',
                       TG_TABLE_SCHEMA, TG_ARGV[0], TG_ARGV[3], TG_ARGV[1], TG_ARGV[2])
        USING NEW;
    ELSE
        EXECUTE format('UPDATE %I.%I SET deleted_at = ($1).deleted_at WHERE %I = ($1).%I AND deleted_at = ($2).deleted_at',
                       TG_TABLE_SCHEMA, TG_ARGV[0], TG_ARGV[1], TG_ARGV[2])
        USING NEW, OLD;
    END IF;
    RETURN NULL;
END
$function$
