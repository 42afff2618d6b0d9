CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SET search_path = {schema}, pg_temp AS $function$
BEGIN
    NEW.{copy} := {value};
    RETURN NEW;
EXCEPTION WHEN data_exception THEN
    NEW.{copy} := NULL; -- no writer fails because of the copy; a CHECK finds such rows before the columns change places
    RETURN NEW;
END $function$;
CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}();
