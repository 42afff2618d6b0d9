-- utility: how many connections a database allows to those who are no superusers; -1 is any number
ALTER DATABASE {name} CONNECTION LIMIT {number}
