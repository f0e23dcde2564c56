"""Bodies of whole trees: what is registered once, how edges cross borders, and what is refused before it is sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.errors import IntegrityError
from azureml_replay.model import Json
from azureml_replay.synthetic.bodies.graph import JobPlace, Submission, step_component, submission
from azureml_replay.synthetic.bodies.known_graphs import Graphs
from azureml_replay.synthetic.bodies.register import place_for
from azureml_replay.synthetic.bodies.validation import problems_of
from azureml_replay.synthetic.tree.nodes import Node, Tree
from azureml_replay.workspace.put_files import PutFile
from unit.families import Family, a_pipeline, a_run, output

PLACE = JobPlace(
    workspace="/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w",
    compute="cpu-cluster",
    datastore="workspaceblobstore",
    code="/codes/c",
    environment="azureml://registries/azureml/environments/e/versions/1",
    component="/components/step",
)
URI = "azureml://datastores/workspaceblobstore/paths/replay/p/"


def sent(tree: Tree) -> Submission:
    """To one place."""
    return submission(tree, PLACE, URI)


def jobs(whole: Submission) -> dict[str, Any]:
    """Of the root job."""
    found: dict[str, Any] = whole.body["properties"]["jobs"]
    return found


def inner_of(whole: Submission, name: str) -> dict[str, Any]:
    """The specification of the graph that a node of the root refers to."""
    wanted = jobs(whole)[name]["componentId"]
    found: dict[str, Any] = next(g.body for g in whole.graphs if g.id == wanted)["properties"]["componentSpec"]
    return found


def bound(node: dict[str, Any]) -> dict[str, str]:
    """Port -> what it is bound to, but for the two that every node has."""
    return {port: one["value"] for port, one in node["inputs"].items() if port not in ("root", "key")}


def thousand() -> Tree:
    """Ten stages, each a nested pipeline of 99 steps beside its self; every stage waits for the one before."""
    runs = [a_run("p"), *(a_run(f"s{at}", "p", display_name=f"s{at}") for at in range(10))]
    runs += [a_run(f"s{at}-{n}", f"s{at}", display_name=f"step {n}") for at in range(10) for n in range(99)]
    stages: Json = {f"s{at}": {"inputs": {"x": {"value": output(f"s{at - 1}")}} if at else {}} for at in range(10)}
    return Family(runs, graphs={"p": {"jobs": stages}}).tree()


def test_a_thousand_steps_are_eleven_bodies() -> None:
    """How long it takes is printed by benchmarks/synthetic_graph.py."""
    whole = sent(thousand())

    steps = [g.body["properties"]["componentSpec"]["jobs"] for g in whole.graphs]
    assert [len(one) for one in steps] == [100] * 10
    assert len(jobs(whole)) == 10 + 1  # the pipeline's own self
    assert sum(json.dumps(graph.body).count('"key"') for graph in whole.graphs) == 1000
    assert whole == sent(thousand())


def test_another_run_of_a_pipeline_registers_nothing_new() -> None:
    """Graphs hold no id, tag or address of one run: only the job does."""

    def run_of(number: int) -> Submission:
        runs = [a_run(f"p{number}"), a_run(f"i{number}", f"p{number}", display_name="inner", tags={"n": str(number)})]
        tree = Family([*runs, a_run(f"l{number}", f"i{number}", display_name="leaf")]).tree()
        return submission(tree, PLACE, f"{URI}{number}/")

    assert run_of(1).graphs == run_of(2).graphs
    assert run_of(1).body != run_of(2).body


def test_another_shape_is_another_graph() -> None:
    """Or the job would run what it does not say."""
    one, other = (
        sent(Family([a_run("p"), a_run("i", "p"), a_run("l", "i", display_name=name)]).tree()) for name in ("a", "b")
    )

    assert {graph.id for graph in one.graphs}.isdisjoint(graph.id for graph in other.graphs)


def test_inner_graphs_come_before_those_that_refer_to_them() -> None:
    """They are registered in this order."""
    whole = sent(Family([a_run("p"), a_run("a", "p"), a_run("b", "a"), a_run("c", "b")]).tree())

    inner, outer = whole.graphs
    assert outer.body["properties"]["componentSpec"]["jobs"]["b"]["componentId"] == inner.id


def leaf(key: str, *after: str) -> Node:
    """One that waits."""
    return Node(key=key, kind="leaf", source=a_run(key).id, display_name=key, after=after)


def group(key: str, *children: Node) -> Node:
    """A nested pipeline."""
    return Node(key=key, kind="group", source=a_run(key).id, display_name=key, children=children)


def tree_of(*nodes: Node) -> Tree:
    """A pipeline job."""
    run = a_run("p")
    return Tree(
        root=run.id, job_name="p", fallback_name="p-r", kind="pipeline", experiment="e", display_name="p", nodes=nodes
    )


def test_an_edge_goes_by_a_port_of_every_group_on_its_way() -> None:
    """From a leaf two groups deep into a leaf two groups deep elsewhere."""
    whole = sent(
        tree_of(
            group("a", group("a/b", leaf("a/b/giver"))),
            group("c", group("c/d", leaf("c/d/taker", "a/b/giver"), leaf("c/d/too", "a/b/giver"))),
        )
    )

    assert bound(jobs(whole)["c"]) == {"up0": "${{parent.jobs.a.outputs.out0}}"}
    outer = inner_of(whole, "a")
    assert set(outer["outputs"]) == {"out0"}
    assert outer["jobs"]["b"]["outputs"] == {"out0": {"type": "literal", "value": "${{parent.outputs.out0}}"}}
    taking = inner_of(whole, "c")
    assert set(taking["inputs"]) == {"root", "up0"}
    assert bound(taking["jobs"]["d"]) == {"up0": "${{parent.inputs.up0}}"}
    (deep,) = [one for graph in whole.graphs if "taker" in (one := graph.body["properties"]["componentSpec"])["jobs"]]
    assert [bound(deep["jobs"][name]) for name in ("taker", "too")] == [{"up0": "${{parent.inputs.up0}}"}] * 2


def test_two_leaves_of_a_group_are_two_ports() -> None:
    """Each waits for what it waited for, and for nothing else."""
    whole = sent(tree_of(group("a", leaf("a/x"), leaf("a/y")), leaf("k", "a/x", "a/y"), leaf("l", "a/y")))

    assert bound(jobs(whole)["k"]) == {
        "up0": "${{parent.jobs.a.outputs.out0}}",
        "up1": "${{parent.jobs.a.outputs.out1}}",
    }
    assert bound(jobs(whole)["l"]) == {"up0": "${{parent.jobs.a.outputs.out1}}"}


def test_a_command_job_has_no_pipeline_about_it() -> None:
    """It keeps the type of its original; its key is that of its files."""
    body = sent(Family([a_run("r1")]).tree()).body["properties"]

    assert (body["jobType"], body["inputs"]["key"]["value"]) == ("Command", "self")
    assert body["computeId"] == f"{PLACE.workspace}/computes/cpu-cluster"


def test_an_environment_of_a_registry_is_named_as_it_is() -> None:
    """Only ids of the workspace carry the `azureml:` prefix in a component (synthetic.md 1)."""
    assert step_component("s", "1", PLACE, "d")["properties"]["componentSpec"]["environment"] == PLACE.environment


def test_a_cycle_is_not_sent() -> None:
    """azure-ai-ml sends it."""
    with pytest.raises(IntegrityError, match="in a circle"):
        sent(tree_of(leaf("a", "b"), leaf("b", "a")))


def test_groups_that_wait_for_each_other_are_a_cycle() -> None:
    """Though their leaves are none."""
    with pytest.raises(IntegrityError, match="in a circle"):
        sent(tree_of(group("a", leaf("a/x"), leaf("a/y", "b/x")), group("b", leaf("b/x", "a/x"))))


def test_a_step_that_waits_for_nobody_there_is_not_sent() -> None:
    """A binding that leads nowhere."""
    with pytest.raises(IntegrityError, match=r"bound to parent\.jobs\.ghost\.outputs\.out, which is not there"):
        sent(tree_of(leaf("a", "ghost")))


def test_a_name_that_is_no_slug_is_not_sent() -> None:
    """The loaders of azure-ai-ml could not read the job back."""
    with pytest.raises(IntegrityError, match="'Train 1' is no name for a node"):
        sent(tree_of(leaf("Train 1")))


@pytest.mark.parametrize("part", ["?sv=2020&sig=abc%2Bdef", "?sp=r&sig=0123"])
def test_a_signature_in_an_input_is_not_sent(part: str) -> None:
    """Inputs are shown to every reader of the workspace."""
    for tree in (tree_of(leaf("a")), Family([a_run("r1")]).tree()):
        with pytest.raises(IntegrityError, match="looks like a credential"):
            submission(tree, PLACE, f"https://account.blob.core.windows.net/c/x{part}")


def test_graphs_are_checked_as_the_job_is() -> None:
    """Every level: a lost graph, an output that nobody gives, a port that is not declared."""
    whole = sent(tree_of(group("a", leaf("a/x")), leaf("k", "a/x")))
    (graph,) = whole.graphs
    assert list(problems_of(whole.body, {graph.id: graph.body})) == []

    assert any("the graph of a is unknown" in one for one in problems_of(whole.body, {}))
    mute = deepcopy(graph.body)
    del mute["properties"]["componentSpec"]["jobs"]["x"]["outputs"]
    assert any("is not given by exactly one node" in one for one in problems_of(whole.body, {graph.id: mute}))
    closed = deepcopy(graph.body)
    del closed["properties"]["componentSpec"]["inputs"]["root"]
    assert any("bound to parent.inputs.root" in one for one in problems_of(whole.body, {graph.id: closed}))


def test_a_description_travels_only_where_there_is_one() -> None:
    """An empty one is one."""
    tree = a_pipeline("a").tree()

    assert "description" not in sent(tree).body["properties"]
    assert sent(replace(tree, description="")).body["properties"]["description"] == ""


@dataclass
class Workspace:
    """Takes components; a request lasts a turn of the loop."""

    registrations: list[str] = field(default_factory=list)

    async def registered(self, path: str) -> dict[str, Any] | None:
        await asyncio.sleep(0)
        return {} if path in self.registrations else None

    async def blob_url(self, path: str) -> str:
        return f"https://store/{path}"

    async def stage(self, path: str, file: PutFile) -> None:
        """Nobody looks."""

    async def register(self, path: str, body: Mapping[str, Any]) -> str:
        await asyncio.sleep(0)
        self.registrations.append(path)
        return f"{PLACE.workspace}/{path}"


async def test_trees_that_are_submitted_side_by_side_register_a_shape_once(tmp_path: Path) -> None:
    """Eight are under way at a time, and pipelines of one history tend to look alike."""
    graph, there = sent(thousand()).graphs[0], Workspace()
    with Archive.create(tmp_path / "archive", azure_place("s", "g", "source")) as archive:
        graphs = Graphs(archive.ledger(azure_place("s", "g", "w")), there)  # type: ignore[arg-type]  # two methods are asked

        ids = await asyncio.gather(*(graphs.id_of(graph, {}) for _ in range(8)))

    assert len(there.registrations) == 1
    assert set(ids) == {graph.id}


async def test_another_step_component_has_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registered version never changes: one with other ports, or another command, must not be taken for it."""
    there, where = Workspace(), azure_place("s", "g", "w")
    asking = {"compute": "serverless", "environment": "azureml://registries/azureml/environments/e/versions/1"}
    first = await place_for(there, where, **asking)  # type: ignore[arg-type]  # four methods are asked
    assert await place_for(there, where, **asking) == first  # type: ignore[arg-type]

    monkeypatch.setattr("azureml_replay.synthetic.bodies.graph.UP_PORTS", 17)
    later = await place_for(there, where, **asking)  # type: ignore[arg-type]

    assert later.component != first.component
    assert len(there.registrations) == 3, "the code and two components"
