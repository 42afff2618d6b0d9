-- utility: of which columns of which table the values in a note are; a trigger function that is written anew may have another form
CREATE TABLE IF NOT EXISTS audit.form (
    form integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name text NOT NULL,
    longs text[] NOT NULL,
    ints text[] NOT NULL,
    times text[] NOT NULL,
    bools text[] NOT NULL,
    uuids text[] NOT NULL
);
