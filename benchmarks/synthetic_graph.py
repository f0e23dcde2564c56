"""How long a pipeline of 1,000 steps takes to become request bodies, its checks included.

`python benchmarks/synthetic_graph.py`. azure-ai-ml takes 13.4 s for as many (before any request).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from unit.test_synthetic_graph import PLACE, URI, thousand

from azureml_replay.synthetic.bodies.graph import submission

if __name__ == "__main__":
    start = time.perf_counter()
    tree = thousand()
    grown = time.perf_counter()
    whole = submission(tree, PLACE, URI)
    built = time.perf_counter()
    size = len(orjson.dumps(whole.body)) + sum(len(orjson.dumps(graph.body)) for graph in whole.graphs)
    print(f"planned and grown in {grown - start:.3f} s, bodies in {built - grown:.3f} s, {size:,} bytes")
