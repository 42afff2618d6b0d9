-- utility: says to who writes to audit.log that nobody does; functions of an older version do until they are written anew
CREATE OR REPLACE FUNCTION audit.refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF tg_op = 'INSERT' AND current_user = 'pgkeel_audit' THEN
        INSERT INTO audit.written (actor, table_name, row_id, operation, before, after)
        VALUES (NEW.actor, NEW.table_name, NEW.row_id, NEW.operation, NEW.before, NEW.after);
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '%% of audit.log refused: it is written by the triggers of watched tables alone, and never changed', tg_op
    USING ERRCODE = 'insufficient_privilege', HINT = 'to have something in it, write to a watched table; old months leave it by [security] audit_keep';
END
$body$;
