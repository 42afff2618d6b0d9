-- utility: compute a materialised view again beside its readers
REFRESH MATERIALIZED VIEW CONCURRENTLY {view}
