ALTER ROLE reporting SET work_mem = '64MB';
