"""Partitions by month: made ahead, and rows that landed in the default partition moved to where they belong."""

from pgkeel.scaling.partitions.keeper import Outcome, inspect, run
from pgkeel.scaling.partitions.layout import Layout, Partition
from pgkeel.scaling.partitions.months import Month
from pgkeel.scaling.partitions.plan import Plan, plan

__all__ = ["Layout", "Month", "Outcome", "Partition", "Plan", "inspect", "plan", "run"]
