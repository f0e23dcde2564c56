"""A kind of run that nobody foresaw is carried as any other; a form that nobody foresaw is kept and listed."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.azure.wire import decode
from azureml_replay.model import RunId
from azureml_replay.planning.plan import plan_unit
from unit.families import Family

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
KEYS = sorted(decode.KNOWN_RUN - {"runId"})


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4).filter(lambda key: key != "runId"), ANY))
def test_no_run_stops_the_others_whatever_its_document_holds(values: dict[str, Any]) -> None:
    """It is decoded and planned, and every value that could not be read is an omission."""
    document = {"runId": "r", **values}

    run = decode.run(document, "e")
    (step,) = plan_unit(Family([run]), RunId("r"))

    assert step.run.id == "r"
    assert run.document == document
    told = {omission.what for omission in step.omissions}
    unreadable = {key.removeprefix("unreadable ") for key in run.unknown if key.startswith("unreadable ")}
    assert unreadable <= told
    for key in ("startTimeUtc", "endTimeUtc", "tags", "properties", "status", "displayName", "inputs", "error"):
        if values.get(key) not in (None, {}, "", [], False, 0):
            assert key in unreadable or carried(run, key), key


def carried(run: Any, key: str) -> bool:
    """The field that the key is read into has a value; a time that was never set has none."""
    field = {"startTimeUtc": "start", "endTimeUtc": "end", "displayName": "display_name"}.get(key, key)
    return bool(getattr(run, field)) or (key in ("inputs", "error") and isinstance(run.document[key], dict))


@given(ANY, ANY)
def test_no_job_stops_the_others_whatever_its_document_holds(properties: Any, jobs: Any) -> None:
    """Its document is carried as it is."""
    for told in (properties, {"jobType": "Novel", "jobs": jobs}):
        document = {"name": "j", "properties": told}

        job = decode.job(document)

        assert job.document == document
        assert decode.job_experiment(job) is None or isinstance(told, dict)


def test_what_is_new_is_named() -> None:
    """A type, a status and keys that no interface file has."""
    document = {"runId": "r", "runType": "azureml.quantum", "status": "Entangled", "qubits": 7, "startTimeUtc": "soon"}

    run = decode.run(document, "e")

    assert (run.kind, run.status, run.start) == ("azureml.quantum", "Entangled", None)
    assert run.unknown == ("qubits", "unreadable startTimeUtc")
