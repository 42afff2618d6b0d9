CREATE TABLE visits (at timestamptz, path text);
