"""From a stack to a graph: who must be done before whom, and the mistakes that only show there."""

from .build import Graph, Index, build_graph, by_resource, members
from .order import Cycle, between, components, depths, find_cycle, reach, topological

__all__ = [
    "Cycle",
    "Graph",
    "Index",
    "between",
    "build_graph",
    "by_resource",
    "components",
    "depths",
    "find_cycle",
    "members",
    "reach",
    "topological",
]
