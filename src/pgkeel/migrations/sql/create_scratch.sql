-- utility: an empty database, whatever somebody put into template1
CREATE DATABASE {database} TEMPLATE template0
