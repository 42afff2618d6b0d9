"""What pending migrations would do to a database in use: foreseen from their text, or seen on a copy of its schema."""
