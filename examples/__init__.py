"""What one can build with pgkeel; every example uses its public API alone."""
