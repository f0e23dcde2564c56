"""AutoML and sweep parents: what they become with and without the flag, and which trials are the best."""

from __future__ import annotations

import json

import pytest

from azureml_replay.model import Json, Omission, RunId
from azureml_replay.synthetic.tree.grow import BELOW, NO_FLAG, NOT_CHOSEN, UNRANKED, SyntheticOptions
from azureml_replay.synthetic.tree.nodes import Tree
from azureml_replay.synthetic.tree.summary import DryRun
from azureml_replay.synthetic.tree.trials import Sampling, TrialChoice, less_is_better
from unit.families import Family, a_run, keys, node

AUTOML = {"runTemplate": "AutoML", "azureml.runsource": "automl", "primary_metric": "accuracy"}


def automl(scores: dict[int, float], *, metric: str = "accuracy", **properties: str) -> Family:
    """A parent with a trial per score, which each logged, and the three auxiliary children."""
    runs = [a_run("m", properties={**AUTOML, "primary_metric": metric, **properties})]
    runs += [a_run(f"m_{name}", "m") for name in ("setup", "featurize")]
    runs += [a_run(f"m_{at}", "m", properties={"run_algorithm": f"Algorithm{at}"}) for at in scores]
    runs += [a_run("m_ModelExplain", "m")]
    logged = {(f"m_{at}", metric): [score] for at, score in scores.items()}
    return Family(runs, logged={**logged, ("m", metric): [max(scores.values())]})


def expanded(family: Family, sampling: Sampling = "best", most: int | None = None, **choice: object) -> Tree:
    """With the flag."""
    return family.tree(SyntheticOptions(trials=TrialChoice(sampling=sampling, most=most, **choice)))  # type: ignore[arg-type]


def trials(tree: Tree) -> dict[str, str]:
    """Original id -> rank, of trials alone."""
    return {
        one.source: one.tags["automl_trial_rank"]
        for one in tree.walk()
        if one.tags.get("automl_role") == "automl_trial"
    }


def test_without_the_flag_the_parent_is_one_node_and_every_child_is_named() -> None:
    """A root becomes a command job; nothing is missing without a word."""
    family = automl({0: 0.5, 1: 0.9})
    family.runs.append(a_run("deep", "m_1"))

    tree = family.tree()

    assert (tree.kind, keys(tree)) == ("command", ["self"])
    assert tree.nodes[0].step
    assert tree.nodes[0].step.points == 1
    said = {omission.run: omission for omission in tree.omissions}
    assert set(said) == {"m_setup", "m_featurize", "m_0", "m_1", "m_ModelExplain", "deep"}
    assert said[RunId("m_0")] == Omission(RunId("m_0"), "run", NO_FLAG)
    assert said[RunId("deep")].reason == BELOW


def test_with_the_flag_parent_trials_and_auxiliary_children_have_their_roles() -> None:
    """As the seed's document says."""
    tree = expanded(automl({0: 0.5, 1: 0.9}))

    assert tree.tags["automl_role"] == "automl_parent"
    assert keys(tree) == ["self", "setup", "featurize", "trial_0", "trial_1", "modelexplain"]
    assert "automl_role" not in node(tree, "self").tags
    for key in ("setup", "featurize", "modelexplain"):
        assert node(tree, key).tags["automl_role"] == "automl_auxiliary"
    best = node(tree, "trial_1").tags
    assert {key: value for key, value in best.items() if key.startswith("automl")} == {
        "automl_role": "automl_trial",
        "automl_trial_number": "1",
        "automl_trial_rank": "1",
        "automl_trial_metric": "accuracy",
        "automl_trial_score": "0.9",
        "automl_trial_algorithm": "Algorithm1",
    }
    assert tree.omissions == ()


def test_a_node_of_a_pipeline_expands_where_it_stands() -> None:
    """Its children are a nested pipeline."""
    inner = automl({0: 0.1})
    inner.runs[0] = a_run("m", "p", properties=AUTOML)
    tree = expanded(Family([a_run("p"), *inner.runs], logged=inner.logged))

    assert "m/trial_0" in keys(tree)
    assert node(tree, "m").tags["automl_role"] == "automl_parent"
    assert node(tree, "m/self").kind == "self"


SWEEP_NODE: Json = {"type": "sweep", "objective": {"goal": "minimize", "primary_metric": "AUC"}}
AUTOML_NODE: Json = {"type": "automl", "task": "text_classification", "primary_metric": "AUC"}


def noded(submitted: Json, **scores: float) -> Family:
    """A pipeline with a step whose run does not say what it is: its node of the graph does (recorded)."""
    runs = [a_run("p"), a_run("s", "p", display_name="tune", kind="azureml.StepRun"), a_run("s_setup", "s")]
    runs += [a_run(name, "s") for name in scores]
    return Family(
        runs,
        graphs={"p": {"jobType": "Pipeline", "jobs": {"tune": submitted, "other": {"type": "command"}}}},
        logged={(name, "AUC"): [score] for name, score in scores.items()},
    )


@pytest.mark.parametrize(("submitted", "best"), [(SWEEP_NODE, "s_1"), (AUTOML_NODE, "s_0")], ids=["sweep", "automl"])
def test_a_node_of_a_graph_says_that_its_step_is_a_parent(submitted: Json, best: str) -> None:
    """Roles, ranks by the node's own metric and direction, and the flag, as for a job of its own."""
    family = noded(submitted, s_0=0.9, s_1=0.1)

    tree, one, without = expanded(family), expanded(family, most=1), family.tree()

    assert node(tree, "tune").tags["automl_role"] == "automl_parent"
    assert node(tree, "tune/setup").tags["automl_role"] == "automl_auxiliary"
    assert trials(tree) == {best: "1", ({"s_0", "s_1"} - {best}).pop(): "2"}
    assert trials(one) == {best: "1"}
    assert node(without, "tune").children == ()
    assert {omission.run for omission in without.omissions if omission.reason == NO_FLAG} == {"s_setup", "s_0", "s_1"}


def test_the_step_of_an_older_sweep_holds_the_sweep_itself() -> None:
    """Then the run below it is the parent, and the step is a pipeline's."""
    family = noded(SWEEP_NODE)
    family.runs = [run for run in family.runs if run.id != "s_setup"]
    family.runs += [a_run("HD", "s", kind="hyperdrive"), a_run("HD_0", "HD"), a_run("HD_1", "HD")]

    tree, without = expanded(family), family.tree()

    assert "automl_role" not in node(tree, "tune").tags
    assert node(tree, "tune/hd").tags["automl_role"] == "automl_parent"
    assert set(trials(tree)) == {"HD_0", "HD_1"}
    assert {omission.run for omission in without.omissions} == {"HD_0", "HD_1"}


def test_a_metric_that_no_trial_has_is_remarked() -> None:
    """Their order is by number then; the job's own metric, or one that some trial has, needs no word."""
    family = automl({0: 0.5, 1: 0.9})

    assert expanded(family, top_metric="none such").remarks == (UNRANKED.format("m", "none such"),)
    assert expanded(family, top_metric="accuracy").remarks == ()
    assert expanded(family).remarks == ()


def test_the_best_are_chosen_and_the_others_named() -> None:
    """By the job's own metric, upwards."""
    tree = expanded(automl({0: 0.5, 1: 0.9, 2: 0.7, 10: 0.1}), most=2)

    assert trials(tree) == {"m_1": "1", "m_2": "2"}
    assert [(one.run, one.reason) for one in tree.omissions] == [("m_0", NOT_CHOSEN), ("m_10", NOT_CHOSEN)]
    counted = DryRun()
    counted.add(tree)
    assert (counted.left_out, counted.reasons) == (2, {NOT_CHOSEN: 2})


@pytest.mark.parametrize(
    "told",
    [
        {"metric": "normalized_root_mean_squared_error"},
        {"metric": "my_metric", "AMLSettingsJsonString": json.dumps({"metric_operation": "minimize"})},
    ],
)
def test_errors_are_better_when_smaller(told: dict[str, str]) -> None:
    """By what the job says, else by the metric's name."""
    assert trials(expanded(automl({0: 0.5, 1: 0.9}, **told), most=1)) == {"m_0": "1"}


@pytest.mark.parametrize(
    ("metric", "less"),
    [("AUC_weighted", False), ("r2_score", False), ("NormalizedMeanAbsoluteError", True), ("val_loss", True)],
)
def test_the_direction_of_metrics_that_nobody_stated(metric: str, *, less: bool) -> None:
    """Microsoft's table first, then how such metrics are called."""
    assert less_is_better(metric) is less


def test_a_sweep_is_ranked_by_its_objective_over_all_that_was_logged() -> None:
    """ARM's spelling of the metric differs from the one it was logged under; goal and name come from the job."""
    objective: Json = {"jobType": "Sweep", "objective": {"primaryMetric": "ValLoss", "goal": "Minimize"}}
    parent = a_run("s", tags={"_aml_system_s_0": '{"lr": 0.1}', "_aml_system_s_1": '{"lr": 0.2}'})
    family = Family(
        [parent, a_run("s_0", "s"), a_run("s_1", "s")],
        graphs={"s": objective},
        logged={("s_0", "val_loss"): [float("nan"), 3.0, 0.5, 2.0], ("s_1", "val_loss"): [1.0, 0.6]},
    )

    tree = expanded(family)

    assert trials(tree) == {"s_0": "1", "s_1": "2"}
    assert node(tree, "trial_0").tags["automl_trial_score"] == "0.5"
    assert node(tree, "trial_0").tags["automl_trial_hyperparameters"] == '{"lr": 0.1}'


def test_an_old_hyperdrive_run_tells_its_goal_and_parameters_in_tags() -> None:
    """`HD_{guid}_{n}`, with the parameters on the trial itself."""
    told = {"primary_metric_config": '{"name":"loss","goal":"minimize"}', "runTemplate": "HyperDrive"}
    trial = a_run("HD_1_0", "HD_1", tags={"hyperparameters": '{"i": 364}'})
    preparation = a_run("HD_1_preparation", "HD_1")

    tree = expanded(Family([a_run("HD_1", properties=told), trial, preparation], logged={("HD_1_0", "loss"): [0.5]}))

    assert trials(tree) == {"HD_1_0": "1"}
    assert node(tree, "trial_0").tags["automl_trial_hyperparameters"] == '{"i": 364}'
    assert node(tree, "preparation").tags["automl_role"] == "automl_auxiliary"


def test_scores_and_algorithms_come_from_the_parents_packed_tags() -> None:
    """Where the trial logged no metric. A score of nought is a score."""
    packed = {"iteration": "<1>;<0>;", "score": "<0>;<0.7>;", "run_algorithm": "<LightGBM>;<SVM>;"}
    family = Family([a_run("m", properties=AUTOML, tags=packed), a_run("m_0", "m"), a_run("m_1", "m")])

    tree = expanded(family)

    assert trials(tree) == {"m_0": "1", "m_1": "2"}
    assert node(tree, "trial_1").tags["automl_trial_score"] == "0.0"
    assert [node(tree, f"trial_{at}").tags["automl_trial_algorithm"] for at in (0, 1)] == ["SVM", "LightGBM"]


def test_another_metric_ranks_by_its_own_values_alone() -> None:
    """The service's scores are of the primary metric: they say nothing of this one."""
    family = automl({0: 0.5, 1: 0.9, 2: 0.8}, score="0.3")
    family.logged |= {("m_0", "log_loss"): [0.2], ("m_1", "log_loss"): [0.4]}
    family.runs[5] = a_run("m_2", "m", properties={"score": "0.8"})

    tree = expanded(family, top_metric="log_loss")

    assert trials(tree) == {"m_0": "1", "m_1": "2", "m_2": "3"}
    assert node(tree, "trial_0").tags["automl_trial_metric"] == "log_loss"
    assert "automl_trial_score" not in node(tree, "trial_2").tags


def test_first_takes_the_first_and_random_is_repeatable() -> None:
    """By number, not by text; equal seeds choose equal trials."""
    family = automl({at: at / 20 for at in range(12)})

    assert list(trials(expanded(family, "first", 3))) == ["m_0", "m_1", "m_2"]
    assert trials(expanded(family, "random", 4, seed=7)) == trials(expanded(family, "random", 4, seed=7))
    assert len({tuple(trials(expanded(family, "random", 4, seed=seed))) for seed in range(5)}) > 1


def test_a_sweep_within_an_automl_run_is_expanded_too() -> None:
    """Image and text tasks hang their trials below a hyperdrive child."""
    inner = a_run("m_HD", "m", properties={"runTemplate": "HyperDrive"})
    family = Family([a_run("m", properties=AUTOML), inner, a_run("m_HD_0", "m_HD"), a_run("m_HD_1", "m_HD")])

    tree = expanded(family, most=1)

    assert keys(tree) == ["hd", "hd/self", "hd/trial_0"]
    assert node(tree, "hd").tags["automl_role"] == "automl_parent"
    assert trials(tree) == {"m_HD_0": "1"}


def test_ordinary_children_of_a_trial_hang_below_it() -> None:
    """A trial that logged nested runs is a group itself."""
    family = automl({0: 0.5})
    family.runs.append(a_run("fold", "m_0"))

    tree = expanded(family)

    assert node(tree, "trial_0").kind == "group"
    assert node(tree, "trial_0").tags["automl_role"] == "automl_trial"
    assert node(tree, "trial_0/fold").source == "fold"


@pytest.mark.parametrize("score", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_a_score_that_is_no_number_comes_last(score: str, metric: str) -> None:
    """As the service wrote it, for a trial that logged no such metric; whichever way is better, and wherever it is."""
    family = automl({0: 0.5, 2: 0.7}, metric=metric)
    family.runs.insert(3, a_run("m_1", "m", properties={"score": score}))

    found = trials(expanded(family))

    assert found["m_1"] == "3"
