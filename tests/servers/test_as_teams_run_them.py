"""Servers as teams run them: on PostgreSQL, with four workers, behind logins."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from azureml_replay.errors import Forbidden, UserError
from e2e import mlflow_history
from e2e.test_from_mlflow import NAME, expect_whole
from mlflow_servers import NEWEST, MlflowServer, beside, serving
from postgres import cluster
from servers.moving import copied, findings, named, prefix_of, sent_again, sent_now
from servers.seen import look
from servers.test_killed import SOME, cut_and_continue
from servers.test_long_names import expect_a_long_model, expect_long_names_apart
from servers.test_to_a_server import expect_all_of_it

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]
LOGINS = """[mlflow]
default_permission = READ
database_uri = sqlite:///{folder}/logins.db
admin_username = admin
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 300
"""
"""Without the last line each request takes 0.3 s of the server's processor: passwords are hashed anew."""


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A server with four workers."""
    settings = beside()
    with (
        cluster() as store,
        serving(tmp_path_factory.mktemp("mlflow"), NEWEST, store=store, workers=4, **settings) as server,
    ):
        yield server


def test_everything_arrives_on_postgresql(hostile: Path, on_postgres: MlflowServer, tmp_path: Path) -> None:
    """Where columns have lengths, and NUL is an error that stays."""
    expect_all_of_it(hostile, on_postgres, tmp_path)


async def test_everything_comes_from_postgresql(on_postgres: MlflowServer, tmp_path: Path) -> None:
    """As of a SQLite file."""
    await expect_whole(on_postgres, mlflow_history.logged(on_postgres, NAME), tmp_path)


async def test_names_of_experiments_and_models_beyond_256_characters(on_postgres: MlflowServer, tmp_path: Path) -> None:
    """Its columns have that length: they are cut, stay apart, and are found by whoever wrote them."""
    await expect_long_names_apart(on_postgres, tmp_path)
    await expect_a_long_model(on_postgres, tmp_path)


@pytest.mark.parametrize("delivered", [False, True], ids=["before-delivery", "after-delivery"])
def test_cut_at_some_requests_to_postgresql(
    small: Path, on_postgres: MlflowServer, tmp_path: Path, delivered: bool
) -> None:
    """Each sixth: nothing is lost, nothing is there twice."""
    for at in count(1 + 3 * delivered, SOME):
        if not cut_and_continue(small, on_postgres, tmp_path / str(at), at, delivered=delivered):
            assert at > 30
            return


def test_everything_arrives_at_four_workers_on_sqlite(hostile: Path, tmp_path: Path) -> None:
    """They lock each other's writes out: what was refused for it is sent again."""
    with serving(tmp_path, NEWEST, workers=4) as server:
        expect_all_of_it(hostile, server, tmp_path)


def test_logins_are_asked_for(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one, or with a wrong one, it is said at once; who may only read hears it; with one, all arrives."""
    password = secrets.token_hex(16)
    settings = tmp_path / "logins.ini"
    settings.write_text(LOGINS.format(folder=tmp_path, password=password))
    flags = ("--app-name", "basic-auth")
    more = beside() | {
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
    }
    with serving(tmp_path, NEWEST, *flags, **more) as server:
        history, target = copied(small, tmp_path / "history"), named(server, tmp_path)
        for name in ("USERNAME", "PASSWORD", "TOKEN"):
            monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
        monkeypatch.setenv("MLFLOW_TRACKING_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("HOME", str(tmp_path))
        with pytest.raises(UserError, match="does not let this login in"):
            sent_now(history, target)
        login(monkeypatch, "admin", "wrong" + password)
        with pytest.raises(UserError, match="does not let this login in"):
            sent_now(history, target)

        login(monkeypatch, "admin", password)
        done = sent_now(history, target)
        assert (done.replayed.failed, findings(history, target)) == ((), [])
        assert len(look(server.url, prefix_of(target)).runs) == done.replayed.runs == 3
        assert sent_again(history, target).runs == 0

        reader = secrets.token_hex(16)
        ask_as(("admin", password), server, "users/create", {"username": "reader", "password": reader})
        login(monkeypatch, "reader", reader)
        with pytest.raises(Forbidden):
            sent_now(copied(small, tmp_path / "theirs"), target)
        login(monkeypatch, "admin", password)
        assert len(look(server.url, prefix_of(target), files=False).runs) == 3


def login(monkeypatch: pytest.MonkeyPatch, user: str, password: str) -> None:
    """From now on."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)


def ask_as(who: tuple[str, str], server: MlflowServer, call: str, body: dict[str, str]) -> None:
    """One call of the server's own interface."""
    import base64

    pair = base64.b64encode(":".join(who).encode()).decode()
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {pair}"}
    with urlopen(Request(f"{server.url}/api/2.0/mlflow/{call}", json.dumps(body).encode(), headers)):  # noqa: S310
        return
