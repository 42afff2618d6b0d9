-- utility: as leave_fresh, of the version after it
DO $body$
BEGIN
    IF to_regclass('audit.noted') IS NULL THEN
        RETURN;
    END IF;
    LOCK TABLE audit.noted IN ACCESS EXCLUSIVE MODE;
    INSERT INTO audit.updated (change)
    SELECT ROW(note.at, note.actor, note.db_role, note.form, note.row_id, note.longs, note.ints, note.times, note.bools, note.uuids,
               NULL, note.changes)::audit.change
    FROM (SELECT seq, (noted.note).* FROM audit.noted OFFSET 0) AS note ORDER BY note.seq;
    DROP TABLE audit.noted CASCADE; -- the default of months that have left the log
    DROP TYPE audit.note;
END
$body$;
