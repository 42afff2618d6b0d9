"""What the server does for a statement, as a tree, and what is wrong with it, in words."""

from pgkeel.access.explain.command import explain, explain_stat, single_statement
from pgkeel.access.explain.node import Node
from pgkeel.access.explain.plan import Explained, read_plan
from pgkeel.access.explain.request import Analyze, Request, request

__all__ = ["Analyze", "Explained", "Node", "Request", "explain", "explain_stat", "read_plan", "request", "single_statement"]
