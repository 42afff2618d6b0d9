-- utility: a month's table that was never attached
DROP TABLE {child}
