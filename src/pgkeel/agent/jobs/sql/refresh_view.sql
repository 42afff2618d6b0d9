-- utility: compute a materialised view again; its readers wait
REFRESH MATERIALIZED VIEW {view}
