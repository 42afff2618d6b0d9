-- the seals of a month prove their chain only from now on
UPDATE audit.seal SET retired_at = clock_timestamp() WHERE month = %(month)s AND retired_at IS NULL;
