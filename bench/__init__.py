"""Measurements against peers and floors; `make bench`."""
