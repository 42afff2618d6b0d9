"""Recovery: find the point, restore beside, apply WAL to exactly there, verify, and only then let anybody in."""
