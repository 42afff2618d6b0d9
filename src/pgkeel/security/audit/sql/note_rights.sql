-- utility: writes down on which objects whose rights changed since they were seen last, and returns on how many; a command that is NULL
-- keeps them only; of this transaction alone where a command is the reason, else all: what no event trigger saw, and databases
CREATE OR REPLACE FUNCTION audit.note_rights(given_command text, is_recent boolean) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    noted bigint;
    is_moved boolean := coalesce(audit.is_moved(), false); -- then the objects are others
    own integer := CASE WHEN is_recent THEN age(pg_current_xact_id()::xid) ELSE 2147483647 END; -- transactions since this one began
BEGIN
    WITH changed AS (
        SELECT now.classid, now.objid, now.subid, now.acl::text AS acl, audit.rights_by(now.acl) AS seen,
               CASE WHEN kept.seen IS NOT NULL THEN kept.seen WHEN is_recent THEN audit.rights_by(now.usual) END AS before
        FROM audit.rights AS now
        LEFT JOIN audit.right_snapshot AS kept
            ON (kept.classid, kept.objid, kept.subid) = (now.classid, now.objid, now.subid) AND NOT is_moved
        WHERE age(now.changed) <= own AND now.acl::text IS DISTINCT FROM kept.acl
    ), kept AS (
        INSERT INTO audit.right_snapshot (classid, objid, subid, acl, seen) SELECT classid, objid, subid, acl, seen FROM changed
        ON CONFLICT (classid, objid, subid) DO UPDATE SET acl = EXCLUDED.acl, seen = EXCLUDED.seen
    )
    INSERT INTO audit.written (actor, table_name, operation, after)
    SELECT nullif(current_setting('pgkeel.actor', true), ''), object.identity, 'ddl', jsonb_strip_nulls(jsonb_build_object(
               'command', given_command, 'object', object.type, 'granted', audit.rights_without(changed.seen, changed.before),
               'revoked', audit.rights_without(changed.before, changed.seen)))
    FROM changed, pg_identify_object(changed.classid, changed.objid, changed.subid) AS object
    WHERE given_command IS NOT NULL AND changed.seen <> changed.before
    ORDER BY object.identity;
    GET DIAGNOSTICS noted = ROW_COUNT;
    IF NOT is_recent THEN
        DELETE FROM audit.right_snapshot AS kept
        WHERE NOT EXISTS (SELECT FROM audit.rights AS now
                          WHERE (now.classid, now.objid, now.subid) = (kept.classid, kept.objid, kept.subid));
    END IF;
    RETURN noted;
END
$body$;
