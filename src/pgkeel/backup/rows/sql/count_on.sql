-- one row: a sequence's new place
SELECT setval(%(sequence)s::regclass, %(reached)s) AS place
