"""Fixtures for a user's own suite and for ours."""
