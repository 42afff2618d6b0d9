-- one row: whether the default partition holds rows of a span, so that it cannot become a partition of its own now
SELECT EXISTS (SELECT FROM audit.log_default WHERE at >= %(lower)s AND at < %(upper)s) AS waits;
