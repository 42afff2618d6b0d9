-- utility: the month of the design's example; bounds carry an offset, else they are read in the session's time zone
CREATE TABLE events_2024_01 PARTITION OF events FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2024-02-01 00:00:00+00')
