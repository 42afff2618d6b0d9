SELECT setval('orders_id_seq', (SELECT max(id) FROM orders));
ALTER SEQUENCE orders_id_seq AS bigint;
