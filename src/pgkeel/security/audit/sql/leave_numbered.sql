-- utility: lets the table of an older version go, once what it noted is noted anew
DO $body$
BEGIN
    IF to_regclass('audit.numbered') IS NOT NULL THEN
        INSERT INTO audit.noted (note) SELECT note FROM audit.numbered ORDER BY seq;
        DROP TABLE audit.numbered CASCADE; -- the default of months that have left the log
    END IF;
END
$body$;
