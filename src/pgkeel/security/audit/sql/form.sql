-- utility: of which columns of which table the values in a change are, and where among the new ones the key is, if it is one of them; a
-- trigger function that is written anew may have another form
CREATE TABLE IF NOT EXISTS audit.form (
    form integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name text NOT NULL,
    longs text[] NOT NULL,
    ints text[] NOT NULL,
    times text[] NOT NULL,
    bools text[] NOT NULL,
    uuids text[] NOT NULL
);
ALTER TABLE audit.form
    ADD COLUMN IF NOT EXISTS texts text[] NOT NULL DEFAULT '{}', ADD COLUMN IF NOT EXISTS long_key integer,
    ADD COLUMN IF NOT EXISTS int_key integer, ADD COLUMN IF NOT EXISTS uuid_key integer;
