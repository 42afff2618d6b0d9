-- utility: drops one database and ends its sessions; nothing happens when it does not exist
DROP DATABASE IF EXISTS {name} WITH (FORCE)
