"""What the flags of a synthetic replay say of themselves."""

from __future__ import annotations

from azureml_replay.cli.synthetic import flags_without_effect


def test_flags_of_trials_are_idle_where_no_trial_becomes_a_job() -> None:
    """Each that was given, and none with the flag that makes jobs of trials."""
    assert flags_without_effect(replay_automl_max_trials=3, replay_automl_top_metric="auc") == (
        "--replay-automl-max-trials has no effect without --expand-automl-trials",
        "--replay-automl-top-metric has no effect without --expand-automl-trials",
    )
    assert flags_without_effect(replay_automl_max_trials=3, expand_automl_trials=True) == ()
    assert flags_without_effect() == ()
