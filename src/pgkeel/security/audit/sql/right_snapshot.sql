-- utility: the rights on an object as they were seen last: as the catalogue writes them, and by grantee; GRANT says neither to an event trigger
CREATE TABLE IF NOT EXISTS audit.right_snapshot (
    classid oid NOT NULL,
    objid oid NOT NULL,
    subid integer NOT NULL,
    acl text NOT NULL,
    seen jsonb NOT NULL,
    PRIMARY KEY (classid, objid, subid)
);
