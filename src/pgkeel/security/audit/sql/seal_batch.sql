-- one row: how many rows were sealed
SELECT audit.seal_now() AS sealed;
