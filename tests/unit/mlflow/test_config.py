"""MLflow servers from addresses and files, logins from the environment; each wrong one has its own line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.azure.config import WorkspaceConfig
from azureml_replay.connection import config_named, config_of
from azureml_replay.errors import UserError
from azureml_replay.mlflow.config import Login, ServerConfig, server_config
from azureml_replay.mlflow.place import address_of, mlflow_place, workspace_of

LOCAL = "http://127.0.0.1:5000"
SECRET = "pass" + "-of-nobody"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No login of whoever runs the tests; a folder for a file of credentials."""
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "MLFLOW_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def named(folder: Path, content: dict[str, Any]) -> ServerConfig:
    """The server of a file."""
    path = folder / "mlflow.json"
    path.write_text(json.dumps(content))
    found = config_named(str(path))
    assert isinstance(found, ServerConfig)
    return found


def refusal(text: str) -> str:
    """Why a name is refused: one line, and no secret in it."""
    with pytest.raises(UserError) as caught:
        config_named(text)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        (LOCAL, LOCAL),
        ("http://LocalHost:5000/", "http://localhost:5000"),
        ("https://MLflow.Example.com:443//", "https://mlflow.example.com"),
        ("https://me:" + SECRET + "@mlflow.example.com/prefix/", "https://mlflow.example.com/prefix"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("https://mlflow.example.com/?workspace=team%20a", "https://mlflow.example.com?workspace=team%20a"),
    ],
)
def test_one_server_has_one_key(address: str, key: str) -> None:
    """However it was spelt: the key names the server again, and holds no login."""
    found = config_named(address)

    assert found.ref.key == found.ref.name == key
    assert SECRET not in repr(found)
    assert config_of(found.ref, address).ref == found.ref
    assert config_named(key).ref == found.ref


def test_a_place_tells_address_and_workspace() -> None:
    """Both stand in one text."""
    place = mlflow_place("https://Host/x/", "a/b&c")

    assert (address_of(place), workspace_of(place)) == ("https://host/x", "a/b&c")
    assert workspace_of(mlflow_place(LOCAL)) is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("http://mlflow.example.com", '"insecure": true'),
        ("http://10.0.0.7:5000", '"insecure": true'),
        ("ftp://mlflow.example.com", "expected http://HOST:PORT"),
        ("http://", "expected http://HOST:PORT"),
        ("http://127.0.0.1:99999", "expected http://HOST:PORT"),
        (f"{LOCAL}/#/experiments/1", "ends before ? and #"),
        (f"{LOCAL}?page=2", "ends before ? and #"),
        ("databricks", "Databricks is not supported"),
        ("databricks://profile", "Databricks is not supported"),
        ("https://adb-1.2.azuredatabricks.net", "Databricks is not supported"),
        ("arn:aws:sagemaker:eu-west-1:123:mlflow-tracking-server/x", "SageMaker is not supported"),
        ("azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/s", "give its config.json"),
        ("sqlite:///mlflow.db", "mlflow server --backend-store-uri"),
        ("file:///tmp/mlruns", "mlflow server --backend-store-uri"),
        ("ftp://me:" + SECRET + "@host", "expected http://HOST:PORT"),
    ],
)
def test_what_is_no_server_is_told_why(name: str, said: str) -> None:
    """Other services that MLflow's clients reach are refused by name."""
    assert said in refusal(name)


def test_a_file_says_more_than_an_address(home: Path) -> None:
    """With every key; plain http beyond this machine only where it says so."""
    found = named(
        home,
        {
            "mlflow": "http://mlflow.example.com",
            "experiment_prefix": "old/",
            "artifacts": "none",
            "workspace": "team",
            "insecure": True,
            "credential": None,
        },
    )

    assert found.ref == mlflow_place("http://mlflow.example.com", "team")
    assert (found.experiment_prefix, found.artifacts, found.origin) == ("old/", "none", str(home / "mlflow.json"))
    assert named(home, {"mlflow": LOCAL}).artifacts == "proxied"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"mlflow": None}, "mlflow is null"),
        ({"mlflow": 5}, "mlflow must be a text"),
        ({"mlflow": LOCAL, "artefacts": "none"}, "unknown key 'artefacts'"),
        ({"mlflow": LOCAL, "artifacts": "s3"}, "expected one of proxied, none"),
        ({"mlflow": LOCAL, "insecure": "yes"}, "insecure must be true or false"),
        ({"mlflow": LOCAL, "credential": "cli"}, "credential must be an object"),
        ({"mlflow": LOCAL, "credential": {"password": SECRET}}, "unknown key 'password'"),
        ({"mlflow": "http://mlflow.example.com"}, "plain http"),
        ({"mlflow": "databricks"}, "Databricks"),
    ],
)
def test_a_file_that_is_wrong_is_told_where(home: Path, content: dict[str, Any], said: str) -> None:
    """By file and key."""
    path = home / "mlflow.json"
    path.write_text(json.dumps(content))

    told = refusal(str(path))

    assert said in told
    assert str(path) in told


def test_another_file_names_another_kind(home: Path) -> None:
    """Which kind it is, the file says."""
    path = home / "config.json"
    path.write_text(json.dumps({"subscription_id": "s", "resource_group": "g", "workspace_name": "w"}))

    assert isinstance(config_named(str(path)), WorkspaceConfig)
    assert isinstance(config_named("s/g/w"), WorkspaceConfig)


USER = {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": SECRET}
TOKEN = {"MLFLOW_TRACKING_TOKEN": SECRET}


@pytest.mark.parametrize(
    ("environment", "kept", "login"),
    [
        ({}, "", Login()),
        (USER, "", Login("me", SECRET)),
        (TOKEN, "", Login(token=SECRET)),
        (USER | TOKEN, "", Login("me", SECRET)),
        (TOKEN, "[mlflow]\nmlflow_tracking_username = you\nmlflow_tracking_password = x%y\n", Login("you", "x%y")),
        (USER, "[mlflow]\nmlflow_tracking_username = you\nmlflow_tracking_password = x\n", Login("me", SECRET)),
        ({}, "[other]\nmlflow_tracking_username = you\n", Login()),
    ],
)
def test_a_login_is_found_where_mlflows_clients_find_it(
    home: Path, environment: dict[str, str], kept: str, login: Login
) -> None:
    """The environment, then the file; a token only where neither has user and password."""
    if kept:
        (home / ".mlflow").mkdir()
        (home / ".mlflow" / "credentials").write_text(kept)

    assert server_config(LOCAL, environment).login == login


def test_two_servers_have_two_logins(home: Path) -> None:
    """By a prefix of the variables, as for two workspaces of Azure; the shared file is then nobody's."""
    environment = USER | {"TARGET_MLFLOW_TRACKING_TOKEN": "other"}

    assert named(home, {"mlflow": LOCAL, "credential": {"prefix": "TARGET_"}}).login == Login()
    from azureml_replay.mlflow.config import server_of_document

    document = {"mlflow": LOCAL, "credential": {"prefix": "TARGET_"}}
    assert server_of_document(document, "target.json", environment).login == Login(token="other")
    assert server_config(LOCAL, environment).login == Login("me", SECRET)


def test_an_address_may_bear_a_login() -> None:
    """It wins, and is not shown."""
    found = server_config("https://us%40er:" + SECRET + "@host", TOKEN)

    assert found.login == Login("us@er", SECRET)
    assert SECRET not in repr(found) + str(found.ref) + found.origin


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"MLFLOW_TRACKING_AWS_SIGV4": "true"}, "MLFLOW_TRACKING_AWS_SIGV4 is set"),
        ({"MLFLOW_TRACKING_AUTH": "plugin"}, "MLFLOW_TRACKING_AUTH is set"),
        (
            {"MLFLOW_TRACKING_INSECURE_TLS": "true", "MLFLOW_TRACKING_SERVER_CERT_PATH": "x"},
            "MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH are both set",
        ),
    ],
)
def test_a_login_that_is_not_supported_is_named(environment: dict[str, str], said: str) -> None:
    """Nothing is tried without it."""
    with pytest.raises(UserError, match=said):
        server_config(LOCAL, environment)


def test_credentials_that_cannot_be_read_are_not_quoted(home: Path) -> None:
    """The file's name is enough."""
    (home / ".mlflow").mkdir()
    (home / ".mlflow" / "credentials").write_text(f"password {SECRET}\n")

    assert "no file of credentials" in refusal(LOCAL)


def test_certificates_are_named_by_the_environment() -> None:
    """Each with the variable that names it, for messages."""
    name, own = "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH"
    trust = server_config(LOCAL, {name: "ca.pem", own: "me.pem"}).trust

    assert (trust.certificates, trust.own, trust.anything) == ((name, "ca.pem"), (own, "me.pem"), False)
    assert server_config(LOCAL, {"MLFLOW_TRACKING_INSECURE_TLS": "true"}).trust.anything
    assert server_config(LOCAL, {"MLFLOW_WORKSPACE": "team"}).ref == mlflow_place(LOCAL, "team")
