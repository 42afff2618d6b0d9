-- utility: a lock on every table, so that a statement that runs alone stands still when it wants its own
LOCK TABLE {tables} IN {mode} MODE
