"""Roles, TLS, encryption, audit, identity."""
