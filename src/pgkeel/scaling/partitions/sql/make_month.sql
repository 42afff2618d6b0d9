-- utility: a month's table, not attached yet; the comment is how a later run knows it
CREATE TABLE {child} (LIKE {parent} INCLUDING ALL EXCLUDING IDENTITY);
ALTER TABLE {child} ADD CONSTRAINT {check} CHECK ({key} >= {lower} AND {key} < {upper});
COMMENT ON TABLE {child} IS {marker}
