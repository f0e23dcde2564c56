"""What counts as another plan, and what later calls add to one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from azureml_replay.model import Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.files import FileChoice
from azureml_replay.synthetic.expected import ExpectedRun, is_alike
from azureml_replay.synthetic.mend import gone
from azureml_replay.synthetic.options import Shape, joined
from azureml_replay.synthetic.plan_digest import PlanDigest
from azureml_replay.synthetic.tree.grow import SyntheticOptions
from azureml_replay.synthetic.tree.nodes import Node, Tree
from azureml_replay.synthetic.tree.trials import TrialChoice

NOTHING: Any = None
TWO, FIVE, ALL = TrialChoice(most=2), TrialChoice(most=5), TrialChoice()
RANDOM = TrialChoice(sampling="random", most=2)
TEXTS, SMALL = FileChoice(globs=("*.txt",)), FileChoice(most_bytes=10)


def leaf(key: str, *after: str) -> Node:
    return Node(key=key, kind="leaf", source=RunId(f"run {key}"), display_name=key, after=after)


TREE = Tree(
    root=RunId("root"),
    job_name="root",
    fallback_name="root-r",
    kind="pipeline",
    experiment="here",
    display_name="the root",
    tags={"a": "1"},
    nodes=(leaf("one"), leaf("two", "one")),
)


def digest(tree: Tree) -> bytes:
    return PlanDigest(NOTHING, tree).digest()


@pytest.mark.parametrize(
    "other",
    [
        replace(TREE, tags={"a": "2"}, description="new", display_name="another"),
        replace(TREE, nodes=(leaf("one"), replace(leaf("two", "one"), tags={"b": "1"}, display_name="2"))),
        replace(TREE, properties={lineage.PROPERTY: '{"version":"9"}'}),
        replace(TREE, nodes=(replace(leaf("one"), key="1"), leaf("two", "1"))),
    ],
    ids=["texts", "texts-of-a-node", "version", "names-of-nodes"],
)
def test_what_can_be_mended_is_no_other_plan(other: Tree) -> None:
    assert digest(other) == digest(TREE)


@pytest.mark.parametrize(
    "other",
    [
        replace(TREE, nodes=(leaf("one"), leaf("two"))),
        replace(TREE, nodes=(leaf("one"),)),
        replace(TREE, experiment="there"),
        replace(TREE, properties={"mlflow.source.git.commit": "1"}),
    ],
    ids=["edges", "nodes", "experiment", "properties"],
)
def test_another_plan(other: Tree) -> None:
    assert digest(other) != digest(TREE)


@pytest.mark.parametrize(
    ("wished", "given", "found"),
    [(None, TWO, TWO), (TWO, None, TWO), (TWO, FIVE, FIVE), (FIVE, TWO, FIVE), (ALL, TWO, ALL), (TWO, RANDOM, RANDOM)],
)
def test_no_later_call_asks_for_less_trials(
    wished: TrialChoice | None, given: TrialChoice | None, found: TrialChoice | None
) -> None:
    before, now = (Shape(tree=SyntheticOptions(trials=one)) for one in (wished, given))

    assert joined(before, now).tree.trials == found


def test_no_later_call_asks_for_less_files() -> None:
    """And the same call again asks for nothing else."""
    both = joined(Shape(files=TEXTS), Shape(files=SMALL))

    assert both.files.refusal("a.txt", 99) is None
    assert both.files.refusal("a.bin", 9) is None
    assert both.files.refusal("a.bin", 99) is not None
    assert joined(both, Shape(files=SMALL)) == joined(both, Shape(files=TEXTS)) == both
    assert joined(both, Shape(files=FileChoice(artifacts=False))) == both


def test_of_two_orders_of_steps_the_later_one() -> None:
    none = Shape(tree=SyntheticOptions(edges="none"))

    assert joined(none, Shape()).tree.edges == "shape"
    assert joined(Shape(), none).tree.edges == "none"


def test_lineage_is_alike_whichever_version_told_it() -> None:
    name = f"tag {lineage.PROPERTY}"

    assert is_alike(name, '{"run":"a","version":"1"}', '{"version":"2","run":"a"}')
    assert not is_alike(name, '{"run":"a","version":"1"}', '{"run":"b","version":"1"}')
    assert not is_alike("tag other", '{"run":"a","version":"1"}', '{"version":"2","run":"a"}')
    assert not is_alike(name, '{"run":"a"}', None)


def test_what_the_source_lost_is_gone_only_where_it_is_as_it_was_sent() -> None:
    wanted = ExpectedRun(key="", source=RunId("a"), display_name="a", description=None, tags={"k": "v"}, step=None)
    run = Run(id=RunId("b"), display_name="a", description="d", tags={"k": "v", "x": "1", "y": "edited"})
    sent = {"display name": "a", "description": "d", "tag k": "v", "tag x": "1", "tag y": "1", "tag z": "1"}

    assert gone(wanted, run, sent) == ["description", "tag x"]
