"""Trees of jobs for people: the jobs that a synthetic replay would submit, and their originals (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from azureml_replay.counting import counted
from azureml_replay.planning.fit import OVERFLOW_FILE
from azureml_replay.synthetic.bodies.graph import COMMAND
from azureml_replay.synthetic.tree.nodes import RUN, Node, Tree
from azureml_replay.terminal.layout import Branch
from azureml_replay.terminal.text import amount


def drawn(tree: Tree) -> Branch:
    """The jobs to be submitted: keys, names, what each logs and what it waits for."""
    return Branch(f"{tree.job_name} ({tree.kind} job in {tree.experiment})", tuple(map(_drawn, tree.nodes)))


def drawn_in_full(tree: Tree, compute: str) -> Branch:
    """The same, with the tags of every job, and with what all of them run and where."""
    runs = (Branch(f"compute: {compute}"), Branch(f"command: {COMMAND}"))
    nodes = map(_drawn if tree.kind == "command" else _drawn_in_full, tree.nodes)  # a command job is its one node
    return Branch(drawn(tree).label, (*runs, *_tags(tree.tags), *nodes))


def _drawn_in_full(node: Node) -> Branch:
    tags = () if node.kind == "self" else _tags(node.tags)  # a `self` has those of the group above it
    return Branch(_drawn(node).label, (*tags, *map(_drawn_in_full, node.children)))


def _tags(tags: Mapping[str, str]) -> tuple[Branch, ...]:
    return (Branch("tags", tuple(Branch(f"{key} = {value}") for key, value in tags.items())),) if tags else ()


def _drawn(node: Node) -> Branch:
    role = node.tags.get("automl_role")
    shown = [f"{node.name}: {node.display_name}", *([role] if role else []), *_contents(node)]
    if node.after:
        shown.append(f"after {', '.join(node.after)}")
    return Branch(", ".join(shown), tuple(map(_drawn, node.children)))


def _contents(node: Node) -> Iterator[str]:
    if node.step is None:
        return
    step = node.step
    counts = {"point": step.points, "parameter": len(step.run.parameters), "file": step.files}
    yield from (counted(count, what) for what, count in counts.items() if count)
    if step.bytes:
        yield amount("bytes", step.bytes)
    refused = len(step.overflow_series) + sum(map(len, step.overflow.values()))
    if refused:
        yield f"{counted(refused, 'value')} beyond the service's limits, kept in {OVERFLOW_FILE}"


def hierarchy(tree: Tree) -> Branch:
    """The original runs: id, type and status, as `--debug-hierarchy` shows them. A parent's `self` is the parent."""
    originals = tuple(_original(node) for node in tree.nodes if node.source != tree.root)
    left_out = tuple(Branch(f"{one.run} (left out: {one.reason})") for one in tree.omissions if one.what == RUN)
    return Branch(_label(tree.root, tree.display_name, tree.tags), originals + left_out)


def _original(node: Node) -> Branch:
    below = tuple(_original(child) for child in node.children if child.kind != "self")
    return Branch(_label(node.source, node.display_name, node.tags), below)


def _label(run: str, name: str, tags: Mapping[str, str]) -> str:
    words = [tags[key] for key in ("original_type", "original_status", "automl_role") if key in tags]
    return f"{run} [{', '.join(words)}]" + (f" {name}" if name != run else "")
