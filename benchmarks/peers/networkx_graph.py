"""A graph with networkx: nodes and edges with all of their columns, as node-link JSON."""

from __future__ import annotations

import json
import sqlite3

import networkx as nx

from benchmarks.peers.claims import arguments

database, output = arguments()
connection = sqlite3.connect(database)
connection.row_factory = sqlite3.Row
graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
for node in connection.execute("SELECT * FROM nodes"):
    graph.add_node(node["id"], **{name: node[name] for name in node.keys() if name != "id"})  # noqa: SIM118
for edge in connection.execute("SELECT * FROM edges"):
    graph.add_edge(edge["source_id"], edge["target_id"], **dict(edge))
with open(output, "w", encoding="utf-8") as file:
    json.dump(nx.node_link_data(graph, edges="edges"), file, ensure_ascii=False)
