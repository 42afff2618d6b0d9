-- utility: a month's table becomes a partition; its CHECK spares the scan and is then said by the bound
ALTER TABLE {parent} ATTACH PARTITION {child} FOR VALUES FROM ({lower}) TO ({upper});
ALTER TABLE {child} DROP CONSTRAINT {check};
COMMENT ON TABLE {child} IS NULL
