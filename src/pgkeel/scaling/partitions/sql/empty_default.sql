-- utility: the default partition lets go of all its rows at once; every one of them has a copy
DROP TRIGGER pgkeel_drain ON {default};
TRUNCATE TABLE ONLY {default}
