-- The addresses on which the server listens.
SELECT current_setting('listen_addresses') AS addresses;
