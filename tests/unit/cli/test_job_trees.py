"""How trees of jobs are shown."""

from __future__ import annotations

from azureml_replay.cli.job_trees import drawn, drawn_in_full, hierarchy
from azureml_replay.synthetic.bodies.graph import COMMAND
from azureml_replay.synthetic.tree.grow import SyntheticOptions
from azureml_replay.synthetic.tree.trials import TrialChoice
from azureml_replay.terminal.layout import tree as lines
from unit.families import Family, a_run, two_steps_and_a_nested_one


def test_the_tree_shows_what_each_job_holds_and_waits_for() -> None:
    """By the keys and names of the replay."""
    assert list(lines(drawn(two_steps_and_a_nested_one().tree()))) == [
        "p (pipeline job in exp)",
        "├── self: Whole",
        "├── prepare: prepare, 2 points, 1 parameter, 2 values beyond the service's limits, kept in replay/overflow.json",  # noqa: E501
        "└── inner: inner",
        "    ├── self: inner, after prepare",
        "    └── deep: Deep, 3 points, 3 files, 2.0 MB",
    ]


def test_in_full_it_shows_what_is_sent() -> None:
    """Compute and command once, the tags of each job; a parent's own job has the parent's."""
    family = Family([a_run("p", tags={"a": "b"}), a_run("c", "p", tags={"k": "v"})], logged={("p", "loss"): [1.0]})

    shown = list(lines(drawn_in_full(family.tree(), "cpu")))

    assert shown[:3] == ["p (pipeline job in exp)", "├── compute: cpu", f"├── command: {COMMAND}"]
    assert [line for line in shown if line.endswith((" a = b", " k = v"))] == [
        "│   └── a = b",
        "        └── k = v",
    ]
    alone = list(lines(drawn_in_full(Family([a_run("r", tags={"a": "b"})]).tree(), "serverless")))
    assert sum(line.endswith("a = b") for line in alone) == 1


def test_the_hierarchy_shows_the_originals() -> None:
    """Their ids and states; the jobs that we add are not among them, what is left out is."""
    assert list(lines(hierarchy(two_steps_and_a_nested_one().tree()))) == [
        "p [Completed] Whole",
        "├── id-prepare [Completed] prepare",
        "└── id-inner [Completed] inner",
        "    └── deep [azureml.StepRun, Failed] Deep",
    ]
    sweep = Family([a_run("s", properties={"runTemplate": "HyperDrive"}), a_run("s_0", "s"), a_run("s_1", "s")])
    assert list(lines(hierarchy(sweep.tree(SyntheticOptions(trials=TrialChoice(most=1)))))) == [
        "s [Completed, automl_parent]",
        "├── s_0 [Completed, automl_trial]",
        "└── s_1 (left out: a trial that --replay-automl-max-trials leaves out)",
    ]
