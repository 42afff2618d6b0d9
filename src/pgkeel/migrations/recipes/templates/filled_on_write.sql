CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SET search_path = {schema}, pg_temp AS $function$
BEGIN
    NEW.{column} := coalesce(NEW.{column}, {value});
    RETURN NEW;
END $function$;
CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}();
