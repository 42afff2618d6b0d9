"""The composition root: introduces the sections to each other."""
