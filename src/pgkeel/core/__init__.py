"""What every room of the house shares: errors, configuration, time, ids, secrets. Standard library and msgspec only."""
