-- utility: places of deleted rows in their tables' files.
CREATE TEMPORARY TABLE {gone} (relation oid NOT NULL, place tid NOT NULL) ON COMMIT DROP
