-- utility: one audited table, the columns of which only the fact of a change is kept, and those that were known then
CREATE TABLE IF NOT EXISTS audit.watched (
    table_name text PRIMARY KEY,
    masked text[] NOT NULL,
    known text[] NOT NULL,
    shape text NOT NULL
);
ALTER TABLE audit.watched ADD COLUMN IF NOT EXISTS written text; -- the shape that the functions were written for last
