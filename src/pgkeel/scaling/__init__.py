"""Partitions, replicas, shards."""
