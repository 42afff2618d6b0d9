"""Models, column types and conventions; the reference schema of the design."""
