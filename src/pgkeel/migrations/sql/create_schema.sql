-- utility: the schema of our own objects, where nobody else may create any
CREATE SCHEMA pgkeel
