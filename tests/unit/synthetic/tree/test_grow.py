"""What of a unit becomes which job, under which key, with which tags; and what waits for what."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.azure.place import azure_place
from azureml_replay.cli.job_trees import drawn_in_full, hierarchy
from azureml_replay.instants import Instant
from azureml_replay.model import Acting, Json, Omission, RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.fit import ACTS_ON_SOURCE, OVERFLOW_FILE
from azureml_replay.synthetic.bodies.graph import JobPlace, submission
from azureml_replay.synthetic.step.points import PROGRESS
from azureml_replay.synthetic.tree.definitions import parsed
from azureml_replay.synthetic.tree.grow import BELOW, DEEPEST, NO_NODE, TOO_DEEP, SyntheticOptions
from azureml_replay.synthetic.tree.names import SLUG, fallback_name, slug, unique
from azureml_replay.synthetic.tree.nodes import RUN, Tree
from azureml_replay.synthetic.tree.ports import UP_PORTS
from azureml_replay.synthetic.tree.trials import TrialChoice
from azureml_replay.terminal import layout
from azureml_replay.workspace.limits import DOCUMENTED
from unit.families import SOURCE, Family, a_pipeline, a_run, keys, node, output

PLACE = JobPlace(workspace="/w", compute="serverless", datastore="d", code="/c", environment="/e", component="/s")


def waits(tree: Tree) -> dict[str, tuple[str, ...]]:
    """Every leaf that waits."""
    return {leaf.key: leaf.after for leaf in tree.leaves() if leaf.after}


def test_a_standalone_run_is_a_command_job() -> None:
    """Its one node is the job itself."""
    tree = Family([a_run("r1", display_name="Solo", description="why")]).tree()

    assert (tree.kind, tree.job_name, tree.display_name, tree.description) == ("command", "r1", "Solo", "why")
    assert [(one.key, one.kind, one.source) for one in tree.walk()] == [("self", "leaf", "r1")]


def test_nested_pipelines_are_nested_and_each_has_its_self() -> None:
    """Three levels; a parent's own values belong to the first leaf in it."""
    family = Family(
        [a_run("p"), a_run("a", "p", display_name="Prepare"), a_run("b", "p", display_name="Inner"), a_run("c", "b")],
        logged={("p", "loss"): [1.0]},
    )

    tree = family.tree()

    assert tree.kind == "pipeline"
    assert [(one.key, one.kind, one.source) for one in tree.walk()] == [
        ("self", "self", "p"),
        ("prepare", "leaf", "a"),
        ("inner", "group", "b"),
        ("inner/self", "self", "b"),
        ("inner/c", "leaf", "c"),
    ]


def test_a_tree_without_end_becomes_jobs_down_to_a_level() -> None:
    """What is deeper is left out by name; nothing that looks at the tree goes down further than Python does."""
    levels = DEEPEST + 1_000
    family = Family([a_run(f"r{at}", f"r{at - 1}" if at else None) for at in range(levels)])

    tree = family.tree()

    deepest = list(tree.walk())[-1]
    assert (deepest.source, deepest.kind, deepest.key.count("/") + 1) == (f"r{DEEPEST}", "leaf", DEEPEST)
    left = [one for one in tree.omissions if one.what == RUN]
    assert [one.run for one in left] == [f"r{at}" for at in range(DEEPEST + 1, levels)]
    assert [one.reason for one in left] == [TOO_DEEP, *[BELOW] * (len(left) - 1)]
    assert len(submission(tree, PLACE, "azureml://root/").graphs) == DEEPEST - 1
    for drawn in (drawn_in_full(tree, "c"), hierarchy(tree)):
        assert len(list(layout.tree(drawn))) > DEEPEST


def test_a_folder_of_staged_files_is_one_that_storage_takes() -> None:
    """However deep and long the names are; the step is told the same one."""
    family = Family([a_run(f"r{at}", f"r{at - 1}" if at else None, display_name=f"{at}{'x' * 60}") for at in range(30)])

    leaves = list(family.tree().leaves())

    folders = [leaf.folder for leaf in leaves]
    assert len(set(folders)) == len(leaves)
    assert folders[0] == leaves[0].key
    assert max(len(leaf.key) for leaf in leaves) > DOCUMENTED.blob_name
    above, below = f"azureml-replay/{'i' * 32}/{'r' * DOCUMENTED.run_id}/", "/points-0000.jsonl"
    assert max(map(len, folders)) <= DOCUMENTED.blob_name - len(above) - len(below)
    bodies = [one.body for one in submission(family.tree(), PLACE, "azureml://root/").graphs]
    assert all(f'"{folder}"' in json.dumps(bodies) for folder in folders[1:])


def test_a_root_without_values_of_its_own_starts_no_container_for_them() -> None:
    """Its tags travel with the job. A nested one's cannot: it keeps its self."""
    family = Family([a_run("p"), a_run("b", "p"), a_run("c", "b")])

    assert keys(family.tree()) == ["b", "b/self", "b/c"]


def test_the_root_keeps_its_self_for_an_error_or_a_file() -> None:
    """What tags cannot hold is still to be written."""
    for root, files in ((a_run("p", error={"code": "UserError"}), {}), (a_run("p"), {"p": (1, 2)})):
        assert keys(Family([root, a_run("a", "p")], files=files).tree()) == ["self", "a"]


def test_what_a_root_without_a_self_leaves_behind_is_said_too() -> None:
    """No leaf tells of its run, so the tree does."""
    acting = Acting(values=("cancelUri",))

    tree = Family([a_run("p", acting=acting), a_run("c", "p")]).tree()

    assert keys(tree) == ["c"]
    assert Omission(RunId("p"), "cancelUri", ACTS_ON_SOURCE) in list(tree.all_omissions())


def test_keys_are_unique_and_say_what_they_stand_for() -> None:
    """Equal names, equal but for case, and a child that is called as our own leaf."""
    names = ["Train", "train", "TRAIN", "self", "3 folds", "übung", "___"]
    family = Family([a_run("p"), *(a_run(f"c{at}", "p", display_name=name) for at, name in enumerate(names))])

    tree = family.tree()

    assert keys(tree) == ["train", "train_2", "train_3", "self_2", "_3_folds", "ubung", "step"]
    assert [one.display_name for one in tree.walk()] == names
    assert [one.tags["original_name"] for one in tree.walk()] == names


@given(st.lists(st.text(max_size=80), max_size=20))
def test_any_names_become_unique_slugs(names: list[str]) -> None:
    """Whatever people write."""
    found = unique(names, taken=["self"])

    assert len({*found, "self"}) == len(names) + 1
    assert all(SLUG.fullmatch(name) for name in found)


def test_a_slug_is_a_slug_of_itself() -> None:
    """So a replay of a replay has the same keys."""
    assert slug(slug("Train model (GPU)")) == slug("Train model (GPU)") == "train_model_gpu"


def test_the_fallback_name_depends_on_the_workspace_and_fits() -> None:
    """Two sources may hold a run of the same name."""
    other = azure_place("sub", "group", "other")

    assert fallback_name(RunId("r"), SOURCE) == fallback_name(RunId("r"), azure_place("SUB", "Group", "OLD"))
    assert fallback_name(RunId("r"), SOURCE) != fallback_name(RunId("r"), other)
    assert len(fallback_name(RunId("r" * 255), SOURCE)) == 255


@given(st.text(min_size=1, max_size=300))
def test_any_run_id_gives_a_name_that_a_job_may_have(run: str) -> None:
    """Ids that other tools chose."""
    tree = Family([a_run(run)]).tree()

    for name in (tree.job_name, tree.fallback_name):
        assert re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,254}", name)


def test_lineage_and_what_cannot_be_given_again_are_tags() -> None:
    """On every node; the parent is the original's."""
    start = Instant.parse("2024-01-02T03:04:05.1234567+00:00")
    child = a_run(
        "c", "p", status="Failed", start=start, created=start, creator="Ann", kind="azureml.StepRun",
        error={"code": "UserError", "message": "no data"}, tags={"team": "blue"}, properties={"mine": "True"},
    )  # fmt: skip
    tree = Family([a_run("p"), child]).tree()
    (leaf,) = tree.nodes

    assert {key: value for key, value in leaf.tags.items() if key != lineage.PROPERTY} == {
        "original_job_id": "c",
        "original_parent_job_id": "p",
        "original_pipeline_depth": "1",
        "original_status": "Failed",
        "original_start_time": "2024-01-02T03:04:05.1234567+00:00",
        "original_created_time": "2024-01-02T03:04:05.1234567+00:00",
        "original_creator": "Ann",
        "original_type": "azureml.StepRun",
        "original_error": "UserError: no data",
        "team": "blue",
        "original_property.mine": "True",
    }
    assert leaf.step
    assert leaf.step.run.tags == leaf.tags
    assert tree.tags["original_pipeline_depth"] == "0"
    assert set(tree.properties) == {lineage.PROPERTY}


def test_the_roots_lineage_says_that_it_is_ours() -> None:
    """As direct replay writes it: one reader for both."""
    tree = Family([a_run("p", properties={"azureml.git.dirty": "True", "x": "1"})]).tree()

    assert lineage.is_ours(a_run("new", properties=tree.properties), SOURCE, RunId("p"))
    assert tree.properties["azureml.git.dirty"] == "True"
    assert "x" not in tree.properties


def test_a_self_is_told_apart_from_the_run_it_speaks_for() -> None:
    """Both carry the original's id."""
    tree = Family([a_run("p"), a_run("b", "p", tags={"k": "v"}), a_run("c", "b")]).tree()

    assert node(tree, "b/self").tags == {**node(tree, "b").tags, "replay_role": "self"}
    assert node(tree, "b").step is None


def test_a_replay_of_a_replay_points_at_the_run_it_was_made_from() -> None:
    """The first replay's tags are kept beside ours, under another name; its chain too."""
    first = Family([a_run("r1")]).tree()
    again = a_run("r1-again", tags=dict(first.tags), properties=dict(first.properties))

    tree = Family([again]).tree()

    assert tree.tags["original_job_id"] == "r1-again"
    assert tree.tags["original.original_status"] == "Completed"
    assert json.loads(tree.properties[lineage.PROPERTY])["before"]["run"] == "r1"


def test_how_far_an_earlier_replay_was_is_no_progress_of_this_one() -> None:
    """The tag that a step keeps of its points: carried along as it is, no point would be logged again."""
    tree = Family([a_run("p", tags={PROGRESS: "1200"}), a_run("c", "p", tags={PROGRESS: "3"})]).tree()

    assert PROGRESS not in tree.tags
    assert PROGRESS not in node(tree, "c").tags
    assert tree.tags[f"original.{PROGRESS}"] == "1200"


def test_tags_that_steer_a_run_do_not_steer_the_new_one() -> None:
    """`mlflow.parentRunId` would hang the job under a run of the source."""
    tags = {"mlflow.parentRunId": "elsewhere", "azureml.nodeid": "1", "own": "x"}
    tree = Family([a_run("r1", tags=tags)]).tree()

    assert not tags.keys() & tree.tags.keys() - {"own"}
    assert tree.tags["original.mlflow.parentRunId"] == "elsewhere"


def test_what_has_no_room_overflows_and_is_said() -> None:
    """60 tags, a long one, one without a value; the user's own before the platform's."""
    own = {f"t{at}": str(at) for at in range(60)}
    run = a_run("r1", tags={"_aml_system_x": "1", **own, "long": "x" * 2000}, properties={"p": "1"})
    tree = Family([run]).tree()
    (leaf,) = tree.nodes
    assert leaf.step

    assert len(leaf.tags) == 41
    assert list(own) == [key for key in own if key in leaf.tags or key in leaf.step.overflow["tag"]]
    assert {"_aml_system_x", "long", "t59"} <= leaf.step.overflow["tag"].keys()
    assert leaf.step.overflow["property"] == {"p": "1"}
    assert leaf.step.own_files == (OVERFLOW_FILE,)
    said = {omission.what for omission in leaf.step.omissions}
    assert {f"tag {key}" for key in leaf.step.overflow["tag"]} | {"property p"} == said


def test_a_tag_without_a_value_overflows() -> None:
    """A job's tags are texts."""
    tree = Family([a_run("r1", tags={"empty": None})]).tree()
    (leaf,) = tree.nodes

    assert leaf.step
    assert leaf.step.overflow == {"tag": {"empty": None}}


def test_edges_are_the_bindings_of_the_original_graph() -> None:
    """prepare -> train -> evaluate; evaluate also reads what prepare made."""
    family = a_pipeline(
        "prepare", "train", "evaluate",
        bound={"train": {"x": output("prepare")}, "evaluate": {"m": output("train"), "d": output("prepare")}},
    )  # fmt: skip

    assert waits(family.tree()) == {"train": ("prepare",), "evaluate": ("train", "prepare")}
    assert waits(family.tree(SyntheticOptions(edges="none"))) == {}


def test_where_arm_gives_no_graph_steps_stand_side_by_side() -> None:
    """Batch endpoints have null, jobs made from a component an empty map (responses.md 3.2)."""
    for jobs in (None, {}):
        family = a_pipeline("a", "b", bound={"b": {"x": output("a")}})
        family.graphs["p"] = {"jobType": "Pipeline", "jobs": jobs}

        assert waits(family.tree()) == {}


def test_a_run_is_found_by_its_display_name_or_its_component() -> None:
    """A node's key is only the default of the name that is shown."""
    component = "azureml:/subscriptions/s/components/scoring/versions/3"
    jobs: Json = {
        "one": {"display_name": "Make data", "outputs": {}},
        "two": {"componentId": component, "inputs": {"x": {"value": output("one")}}},
    }
    shown = a_run("a", "p", display_name="Make data")
    by_component = a_run("b", "p", display_name="renamed", properties={"azureml.moduleName": "scoring"})
    family = Family([a_run("p"), shown, by_component], graphs={"p": {"jobs": jobs}})

    assert waits(family.tree()) == {"two": ("one",)}


def test_nodes_that_look_alike_are_told_apart_by_their_component() -> None:
    """The module id of a step is the version of its anonymous component."""
    jobs: Json = {
        name: {
            "display_name": "same",
            "componentId": f"/x/components/azureml_anonymous/versions/{name}",
            "inputs": {"x": {"value": output("a")}} if name == "b" else {},
        }
        for name in ("a", "b")
    }
    runs = [a_run(f"c{name}", "p", display_name="same", properties={"azureml.moduleid": name}) for name in ("b", "a")]

    assert waits(Family([a_run("p"), *runs], graphs={"p": {"jobs": jobs}}).tree()) == {"b": ("a",)}


def test_runs_that_could_be_several_nodes_have_no_edges() -> None:
    """An edge that may be wrong is none, and said to be missing."""
    jobs: Json = {name: {"display_name": "same", "inputs": {"x": {"value": output("a")}}} for name in ("a", "b")}
    family = Family(
        [a_run("p"), *(a_run(f"c{at}", "p", display_name="same") for at in range(2))], graphs={"p": {"jobs": jobs}}
    )

    tree = family.tree()

    assert waits(tree) == {}
    assert tree.omissions == tuple(Omission(RunId(f"c{at}"), "edges", NO_NODE) for at in range(2))
    assert family.tree(SyntheticOptions(edges="none")).omissions == ()


def test_a_loops_rounds_stand_for_its_body() -> None:
    """What comes after the loop waits for every round that ran."""
    jobs: Json = {
        "body": {"inputs": {}},
        "loop": {"type": "parallel_for", "body": "${{parent.jobs.body}}", "items": "[]"},
        "after": {"inputs": {"x": {"value": output("loop")}}},
    }
    rounds = [a_run(f"r{at}", "p", display_name="body") for at in range(3)]
    family = Family([a_run("p"), *rounds, a_run("z", "p", display_name="after")], graphs={"p": {"jobs": jobs}})

    assert waits(family.tree()) == {"after": ("body", "body_2", "body_3")}


def nested(inner: Json) -> Family:
    """first -> inner(take, make) -> last; the inner graph comes from run history's definition."""
    jobs: Json = {
        "first": {"inputs": {}},
        "inner": {"type": "pipeline", "inputs": {"x": {"value": output("first")}}},
        "last": {"inputs": {"y": {"value": output("inner", "model")}}},
    }
    runs = [a_run("p"), *(a_run(name, "p", display_name=name) for name in ("first", "inner", "last"))]
    runs += [a_run(name, "inner", display_name=name) for name in ("take", "make")]
    return Family(runs, graphs={"p": {"jobs": jobs}}, definitions={"inner": inner})


INSIDE: dict[str, Json] = {
    "take": {"inputs": {"a": {"value": "${{parent.inputs.x}}"}}},
    "make": {
        "inputs": {"b": {"value": output("take")}},
        "outputs": {"c": {"value": "${{parent.outputs.model}}", "type": "literal"}},
    },
}
INSIDE_WAITS = {"inner/take": ("first",), "inner/make": ("inner/take",), "last": ("inner/make",)}


def test_edges_go_into_and_out_of_nested_pipelines() -> None:
    """Through the ports that the inner graph binds."""
    assert waits(nested({"Jobs": INSIDE}).tree()) == INSIDE_WAITS


def test_the_component_of_a_node_tells_what_is_inside() -> None:
    """ARM's job holds only its id; extraction put the component beside the job."""
    component = "/subscriptions/s/components/azureml_anonymous/versions/1"
    family = nested(None)
    family.graphs["p"]["jobs"]["inner"]["componentId"] = component  # type: ignore[index,call-overload]
    family.components[component] = {"properties": {"componentSpec": {"type": "pipeline", "jobs": INSIDE}}}

    assert waits(family.tree()) == INSIDE_WAITS


def test_the_self_stands_for_a_nested_pipeline_whose_graph_is_unknown() -> None:
    """Its order among its siblings is still the original's."""
    assert waits(nested(None).tree()) == {"inner/self": ("first",), "last": ("inner/self",)}


def test_a_graph_that_turns_is_replayed_without_edges() -> None:
    """It could never have run; the replay must not fail by it."""
    family = a_pipeline("a", "b", bound={"a": {"x": output("b")}, "b": {"x": output("a")}})

    tree = family.tree()

    assert waits(tree) == {}
    assert [(omission.what, omission.reason) for omission in tree.omissions] == [
        ("edges", "the original's graph has a cycle")
    ]


def test_more_givers_than_ports_are_said() -> None:
    """The step still waits for as many as it can."""
    names = [f"n{at:02}" for at in range(UP_PORTS + 2)]
    family = a_pipeline(*names, "end", bound={"end": {name: output(name) for name in names}})

    tree = family.tree()

    assert waits(tree) == {"end": tuple(names[:UP_PORTS])}
    assert tree.omissions == tuple(
        Omission(RunId("id-end"), f"edge from {name}", f"more than {UP_PORTS} of them") for name in names[UP_PORTS:]
    )


BINDINGS = st.sampled_from(["${{parent.inputs.i}}", "${{parent.outputs.o}}", "literal", output("ghost")])


@st.composite
def histories(draw: st.DrawFn) -> Family:
    """A unit of any shape, kinds, names and bindings; bindings may turn, and lead nowhere."""
    names = [f"n{at}" for at in range(draw(st.integers(1, 10)))]
    runs, below = [], dict[str, list[str]]()
    for at, name in enumerate(names):
        above = draw(st.sampled_from(names[:at])) if at else None
        kind = draw(st.sampled_from([{}, {}, {}, {"runTemplate": "AutoML"}]))
        shown = draw(st.sampled_from([name, name, name, "same"]))
        runs.append(
            a_run(name, above, display_name=shown, properties=kind, tags={"x": "y" * draw(st.integers(990, 1010))})
        )
        below.setdefault(above or "", []).append(shown)
    graphs: dict[str, Json] = {
        name: {"jobs": {child: draw(nodes(below[name])) for child in below[name]}} for name in names if name in below
    }
    return Family(runs, graphs=graphs)


def nodes(siblings: list[str]) -> st.SearchStrategy[Json]:
    """A node's ports: bound to the siblings', and to those of the graph."""
    given = st.one_of(st.sampled_from(siblings).map(lambda name: output(name, "o")), BINDINGS)
    return st.builds(
        lambda inputs, out: {"inputs": {"i": {"value": inputs[0]}, "j": inputs[1]}, "outputs": {"o": {"value": out}}},
        st.tuples(given, given),
        BINDINGS,
    )


@given(histories(), st.booleans())
def test_every_run_has_its_place_or_its_omission_and_the_job_could_be_sent(family: Family, expand: bool) -> None:
    """Whatever the history: once each, within the limits, and nothing that the validator refuses."""
    tree = family.tree(SyntheticOptions(trials=TrialChoice(most=1) if expand else None))

    placed = [one.source for one in tree.walk() if one.kind != "self" and one.source != tree.root]
    missing = [omission.run for omission in tree.omissions if omission.what == RUN]
    assert sorted([tree.root, *placed, *missing]) == sorted(run.id for run in family.runs)
    assert len(set(keys(tree))) == len(keys(tree))
    assert all(len(one.tags) <= 50 for one in tree.walk())
    submission(tree, PLACE, "azureml://datastores/d/paths/x/")


def test_no_steps_are_no_tree() -> None:
    """A unit has a root."""
    from azureml_replay.synthetic.tree.grow import grow

    with pytest.raises(ValueError, match="not enough values"):
        grow([], Family([]), SyntheticOptions())


@pytest.mark.parametrize("said", ["[" * 100_000 + "]" * 100_000, '{"a":' * 500 + "1" + "}" * 500, "no JSON"])
def test_a_tag_that_nobody_can_read_says_nothing(said: str) -> None:
    """A setting of a sweep, as anybody may have written it."""
    assert parsed(said) is None
