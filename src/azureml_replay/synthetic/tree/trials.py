"""Finds the trials of AutoML and sweep parents, ranks them, and chooses those that are replayed (pure).

Facts: responses.md 3.2 (parents, as ARM shows them) and 8 (trials of the old hyperdrive). Trials of AutoML were never
recorded; their properties `score`, `iteration` and `run_algorithm` are known from the parent's packed tags.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from azureml_replay.model import Run
from azureml_replay.synthetic.tree.definitions import Document, parsed, pick, plain

Sampling = Literal["best", "first", "random"]
ParentKind = Literal["automl", "sweep"]

MINIMIZED = frozenset(
    {"logloss", "meanabsoluteerror", "normalizedmeanabsoluteerror", "medianabsoluteerror"}
    | {"normalizedmedianabsoluteerror", "meanabsolutepercentageerror", "rootmeansquarederror"}
    | {"normalizedrootmeansquarederror", "rootmeansquaredlogerror", "normalizedrootmeansquaredlogerror"}
)
"""AutoML's metrics that are better the nearer to 0 (azure-docs, how-to-understand-automated-ml: "Objective")."""
_LESS_IS_MORE = ("loss", "error", "rmse", "mae", "mse", "mape", "perplexity")
"""Ends of other names of metrics that are errors, for a metric of which the job says nothing."""
_PARENTS: Mapping[str, ParentKind] = {"automl": "automl", "hyperdrive": "sweep", "sweep": "sweep"}
_PACKED = re.compile(r"<([^<>]*)>;")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialChoice:
    """Which trials become nodes of their own."""

    sampling: Sampling = "best"
    most: int | None = None
    """The number of trials at most; None: all of them."""
    top_metric: str | None = None
    """The metric that ranks them; None: the job's own primary metric."""
    seed: int = 0
    """The seed of `random`: equal seeds choose equal trials."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The metric that a parent optimised, and its direction."""

    metric: str | None
    minimize: bool
    own: bool = True
    """False where the user named another metric: the scores that the service wrote are then not its values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One trial with its rank among its parent's trials."""

    run: Run
    number: int
    rank: int
    """The rank, 1 for the best. Trials without a score come last, in the order of their numbers."""
    metric: str | None
    score: float | None
    algorithm: str | None
    preprocessor: str | None
    hyperparameters: str | None
    """The hyperparameters as JSON, as the service wrote it."""

    def tags(self) -> dict[str, str]:
        """The tags of the trial's node."""
        found = {
            "automl_role": "automl_trial",
            "automl_trial_number": str(self.number),
            "automl_trial_rank": str(self.rank),
            "automl_trial_metric": self.metric,
            "automl_trial_score": None if self.score is None else repr(self.score),
            "automl_trial_algorithm": self.algorithm,
            "automl_trial_preprocessor": self.preprocessor,
            "automl_trial_hyperparameters": self.hyperparameters,
        }
        return {key: value for key, value in found.items() if value}


def parent_kind(run: Run, documents: Iterable[Document]) -> ParentKind | None:
    """The kind of a run with children: an AutoML or a sweep parent; None for pipelines and everything else."""
    template = pick(run.properties, "run_template")
    names = [str(template or ""), run.properties.get("azureml.runsource"), run.kind]
    for document in documents:  # a node of a graph has a type, a job a job's type
        names += [str(kind) for kind in (pick(document, "job_type"), pick(document, "type")) if kind]
    for name in names:
        kind = _PARENTS.get(plain(name or "").removeprefix("azureml").removesuffix("run"))
        if kind:
            return kind
    return None


def goal(run: Run, documents: Sequence[Document], top_metric: str | None = None) -> Goal:
    """The metric that ranks a parent's trials, and its direction."""
    metric, direction = _stated_goal(run, documents)
    own = top_metric is None or plain(top_metric) == plain(metric or "")
    metric = metric if own else top_metric
    minimize = plain(direction) == "minimize" if own and direction else less_is_better(metric or "")
    return Goal(metric, minimize, own)


def less_is_better(metric: str) -> bool:
    """True where less is better, for a metric whose direction is not stated."""
    return plain(metric) in MINIMIZED or plain(metric).endswith(_LESS_IS_MORE)


def _stated_goal(run: Run, documents: Sequence[Document]) -> tuple[str | None, str]:
    sweep = parsed(run.tags.get("_aml_system_primary_metric_config") or run.properties.get("primary_metric_config"))
    settings = parsed(run.properties.get("AMLSettingsJsonString"))
    candidates = [(pick(d, "objective", "primary_metric"), pick(d, "objective", "goal")) for d in documents]
    candidates += [(pick(sweep, "name"), pick(sweep, "goal"))]
    candidates += [(run.properties.get("primary_metric"), pick(settings, "metric_operation"))]
    for path in (("task_details", "primary_metric"), ("primary_metric",)):  # of a job, of a node
        candidates += [(pick(d, *path), pick(settings, "metric_operation")) for d in documents]
    return next(((str(metric), str(way or "")) for metric, way in candidates if metric), (None, ""))


def trial_number(child: Run, parent: Run) -> int | None:
    """The number of a trial, 3 for `{parent}_3`; None for setup, featurize, ModelExplain and the like."""
    suffix = child.id.removeprefix(f"{parent.id}_")
    if suffix != child.id:
        return int(suffix) if suffix.isascii() and suffix.isdigit() else None
    stated = child.properties.get("iteration") or ""
    return int(stated) if stated.isascii() and stated.isdigit() else None


def ranked(
    parent: Run, children: Iterable[Run], goal: Goal, best_logged: Callable[[Run, Goal], float | None]
) -> list[Trial]:
    """The trials among the children, best first. `best_logged` gives a run's best value of the goal's metric."""
    family = _Family(parent, goal)
    found = [
        (number, child, best_logged(child, goal) if goal.metric else None)
        for child in children
        if (number := trial_number(child, parent)) is not None
    ]
    scored = [(n, run, family.written_score(run, n) if score is None else score) for n, run, score in found]
    scored.sort(key=lambda one: (_worth(one[2], goal), one[0]))
    return [family.trial(number, run, score, rank) for rank, (number, run, score) in enumerate(scored, 1)]


@dataclass(frozen=True, slots=True)
class _Family:
    """The facts that a parent has about its trials."""

    parent: Run
    goal: Goal

    def trial(self, number: int, run: Run, score: float | None, rank: int) -> Trial:
        return Trial(
            run=run,
            number=number,
            rank=rank,
            metric=self.goal.metric,
            score=score,
            algorithm=self._fact(run, "run_algorithm", number),
            preprocessor=self._fact(run, "run_preprocessor", number),
            hyperparameters=_hyperparameters(run, self.parent),
        )

    def written_score(self, run: Run, number: int) -> float | None:
        """The score that the service wrote, for a trial that logged no such metric."""
        return _number(self._fact(run, "score", number)) if self.goal.own else None

    def _fact(self, run: Run, key: str, number: int) -> str | None:
        return run.properties.get(key) or _unpacked(self.parent.tags, key).get(number)


def _hyperparameters(run: Run, parent: Run) -> str | None:
    """The hyperparameters: on the trial for the old hyperdrive, on the parent under the trial's name for sweeps."""
    own = run.tags.get("hyperparameters") or run.tags.get("_aml_system_hyperparameters")
    return own or parent.tags.get(f"_aml_system_{run.id}")


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _worth(score: float | None, goal: Goal) -> tuple[bool, float]:
    """A key that sorts trials best first; one without a finite score comes last."""
    if score is None or not math.isfinite(score):
        return True, 0.0
    return False, score if goal.minimize else -score


def _unpacked(tags: Mapping[str, str | None], key: str) -> dict[int, str]:
    """Iteration -> value: a tag has `iteration` = `<0>;<2>;`, another one `score` = `<0.91>;<0.89>;`."""
    numbers = _PACKED.findall(tags.get("iteration") or "")
    values = _PACKED.findall(tags.get(key) or "")
    if len(numbers) != len(values):
        return {}
    return {int(number): value for number, value in zip(numbers, values, strict=True) if number.isdecimal()}


def sampled(trials: Sequence[Trial], choice: TrialChoice) -> list[Trial]:
    """The trials that are replayed, in the order of their numbers. `trials` as `ranked` gives them."""
    taken = _order(trials, choice)[: choice.most]
    return sorted(taken, key=lambda trial: trial.number)


def _order(trials: Sequence[Trial], choice: TrialChoice) -> list[Trial]:
    if choice.sampling == "best":
        return list(trials)
    by_number = sorted(trials, key=lambda trial: trial.number)
    if choice.sampling == "random":
        random.Random(choice.seed).shuffle(by_number)  # noqa: S311  # to be repeated, not to be guessed
    return by_number
