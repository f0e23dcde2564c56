"""Requests to a server, by script: logins, what is no server, pages that never end, bulk that cannot be had."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from azureml_replay.errors import NotFound, Unavailable, UserError
from azureml_replay.mlflow.config import ServerConfig, server_config
from azureml_replay.mlflow.not_ours import not_ours_in
from azureml_replay.mlflow.rest import Rest
from azureml_replay.mlflow.words import MLFLOW_WORDS
from azureml_replay.mlflow.workspace import MlflowWorkspace, connect
from azureml_replay.model import Experiment, RunId, Series, SeriesKey
from azureml_replay.sending.sender import Sender
from unit.scripted import Patient, Said, Scripted

LOCAL = "http://127.0.0.1:5000"
OPENED = (Said(200, b"{}"), Said(200, b"3.17.2"))
SECRET = "pass" + "-of-nobody"
LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),))


def answer(**document: Any) -> Said:
    """JSON with status 200."""
    return Said(200, json.dumps(document).encode())


async def opened(*script: Any, config: ServerConfig | None = None) -> tuple[MlflowWorkspace, Scripted]:
    """A workspace on a script that begins with what opening asks."""
    wire = Scripted(*script)
    async with connect(config or server_config(LOCAL, {}), transport=wire, clock=Patient()) as workspace:
        return workspace, wire


@pytest.mark.parametrize(
    ("hidden", "why"),
    [
        (0, "maybe traces, which this login may not see"),
        (1, "maybe logged models, which this login may not see"),
        (3, "maybe scorers, which this login may not see"),
        (None, None),
    ],
)
async def test_what_a_login_may_not_see_may_be_in_an_experiment(hidden: int | None, why: str | None) -> None:
    """So it is not deleted; a server that knows of no such thing has none."""
    beside = [answer(), Said(404), Said(404), Said(404)]
    if hidden is not None:
        beside[hidden] = Said(403)
    sender = Sender(Scripted(answer(runs=[]), *beside), None, MLFLOW_WORDS, parallel=1, clock=Patient())

    assert await not_ours_in(Rest(sender, server_config(LOCAL, {})), Experiment(id="1", name="a")) == why


@pytest.mark.parametrize(
    ("environment", "sent"),
    [
        ({"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": SECRET}, "Basic bWU6cGFzcy1vZi1ub2JvZHk="),
        ({"MLFLOW_TRACKING_TOKEN": SECRET}, f"Bearer {SECRET}"),
        ({}, None),
    ],
)
async def test_the_login_goes_with_every_request(
    environment: dict[str, str], sent: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """And into no log."""
    caplog.set_level("DEBUG")
    config = server_config(LOCAL, environment | {"MLFLOW_WORKSPACE": "team"})
    _, wire = await opened(*OPENED, config=config)

    assert [request.headers.get("Authorization") for request in wire.requests] == [sent, sent]
    assert [request.headers["X-MLFLOW-WORKSPACE"] for request in wire.requests] == ["team", "team"]
    assert SECRET not in caplog.text
    assert "bWU6" not in caplog.text


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([Said(401, b"You are not authenticated")] * 2, "set MLFLOW_TRACKING_USERNAME"),
        ([Said(403, b"Permission denied")], "does not let this login in"),
        ([Said(404, b"<title>404</title>")], "does not answer as an MLflow server"),
        ([Said(200, b"<html>")], "does not answer as an MLflow server"),
    ],
)
async def test_what_does_not_open_says_why(said: list[Said], why: str) -> None:
    """One line each."""
    with pytest.raises(UserError, match=why) as caught:
        await opened(*said)
    assert LOCAL in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_server_without_a_version_is_a_server() -> None:
    """What stands before it may hide that route."""
    workspace, _ = await opened(Said(200, b"{}"), Said(404, b"<html>"))

    assert workspace.version == ""


async def test_a_file_is_read_from_where_it_was_broken_off() -> None:
    """By the way of MLflow's own pages, which knows parts of files; one whose name no server reads is not asked for."""
    workspace, wire = await opened(*OPENED, Said(206, b"rest"), Said(200, b"all"))
    place = workspace.place(RUNS[0], "a b/日本?.txt")

    assert [piece async for piece in workspace.read(place, start=5)] == [b"rest"]
    assert [piece async for piece in workspace.read(place)] == [b"all"]
    asked = [request for request in wire.requests if "/get-artifact?" in request.url]
    assert parse_qs(urlsplit(asked[0].url).query) == {"run_uuid": [RUNS[0]], "path": ["a b/日本?.txt"]}
    assert [request.headers.get("Range") for request in asked] == ["bytes=5-", None]
    with pytest.raises(NotFound, match="gives none"):
        _ = [piece async for piece in workspace.read(workspace.place(RUNS[0], "p%41.txt"))]


async def test_a_page_that_leads_to_itself_ends() -> None:
    """As some servers' histories do where no number of rows is asked for: it always is, and all the same."""
    page = answer(metrics=[], next_page_token="again")
    workspace, wire = await opened(*OPENED, page, page)

    with pytest.raises(Unavailable, match="does not end"):
        async for _ in workspace.points(RunId("a" * 32), LOSS):
            pass
    assert all("max_results" in parse_qs(urlsplit(request.url).query) for request in wire.requests[2:])


def row(run: str, value: float) -> dict[str, Any]:
    """One row as bulk has it."""
    return {"run_id": run, "key": "loss", "value": value, "timestamp": 1, "step": 0}


RUNS = [RunId(letter * 32) for letter in "abc"]
LISTED = answer(
    runs=[
        {
            "info": {"run_id": run, "experiment_id": "1", "status": "FINISHED"},
            "data": {"metrics": [row(run, 1.0)]},
        }
        for run in RUNS
    ]
)
KNOWN = answer(experiments=[{"experiment_id": "1", "name": "first"}])


async def values(workspace: MlflowWorkspace) -> dict[RunId, list[Any]]:
    """All rows of the runs."""
    return {
        run: [row[2][0] for run_ in [run] async for points in workspace.points(run_, LOSS) for row in points.rows()]
        for run in RUNS
    }


async def test_histories_of_many_runs_take_one_request() -> None:
    """With their order, and each run's own rows."""
    bulk = answer(metrics=[row(RUNS[1], 2.0), row(RUNS[0], 1.0), row(RUNS[1], 0.5)])
    workspace, wire = await opened(*OPENED, KNOWN, LISTED, bulk)
    await workspace.details(RUNS)

    assert await values(workspace) == {RUNS[0]: [1.0], RUNS[1]: [0.5, 2.0], RUNS[2]: []}
    assert parse_qs(urlsplit(wire.requests[-1].url).query)["run_id"] == RUNS


@pytest.mark.parametrize("refused", [Said(404, b"<html>"), Said(403, b"no"), Said(400, b"{}")])
async def test_without_a_way_in_bulk_each_is_asked_for(refused: Said) -> None:
    """Behind a proxy that lets only MLflow's own interface through."""
    alone = [answer(metrics=[row(run, at)]) for at, run in enumerate(RUNS)]
    workspace, _ = await opened(*OPENED, KNOWN, LISTED, refused, *alone)
    await workspace.details(RUNS)

    assert await values(workspace) == {run: [float(at)] for at, run in enumerate(RUNS)}
