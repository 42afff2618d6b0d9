-- utility: one change of the ring at a time; readers go on
LOCK TABLE pgkeel.keys IN SHARE ROW EXCLUSIVE MODE
