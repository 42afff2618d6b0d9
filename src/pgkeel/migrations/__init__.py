"""Migrations that cannot take the site down: grammar, ledger, runner."""
