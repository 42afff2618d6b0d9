-- utility: all statements of this transaction see the same log
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
