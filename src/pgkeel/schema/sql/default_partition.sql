-- utility: where an event lands whose month is missing
CREATE TABLE events_default PARTITION OF events DEFAULT
