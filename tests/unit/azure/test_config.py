"""Workspaces from files, names and ARM ids; each wrong one has its own line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.azure.config import AZURE, CLOUDS, CredentialChoice, workspace_config
from azureml_replay.azure.place import azure_place, resource_id
from azureml_replay.disk.workspace_file import without_comments
from azureml_replay.errors import UserError

NAMES = {"subscription_id": "sub-1", "resource_group": "group", "workspace_name": "ws"}
REF = azure_place("sub-1", "group", "ws")


def written(folder: Path, content: str | dict[str, Any]) -> Path:
    path = folder / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def refusal(text: str | Path) -> str:
    with pytest.raises(UserError) as caught:
        workspace_config(str(text))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_studios_file(tmp_path: Path) -> None:
    """What Studio downloads is enough; the public cloud and the default login are taken."""
    path = written(tmp_path, NAMES)

    config = workspace_config(str(path))

    assert (config.ref, config.cloud, config.credential) == (REF, AZURE, CredentialChoice())
    assert config.origin == str(path)


@pytest.mark.parametrize("text", ["sub-1/group/ws", resource_id(REF), resource_id(REF).lower() + "/"])
def test_names_without_a_file(text: str) -> None:
    assert workspace_config(text).ref == REF


def test_comments_and_trailing_commas(tmp_path: Path) -> None:
    """Comments go, what looks like one inside a string stays, so does a comma before a bracket in a string."""
    text = """\ufeff// a file
    { /* three
         names */ "subscription_id": "sub-1", // the first
      "resource_group": "group",
      "workspace_name": "ws",
      "cloud": {"arm": "https://arm.example//", "login": "https://login.example", "name": "/* a ,} */",},
    }"""

    config = workspace_config(str(written(tmp_path, text)))

    assert config.ref == REF
    assert (config.cloud.name, config.cloud.arm) == ("/* a ,} */", "https://arm.example")
    assert config.cloud.arm_scope == "https://arm.example/.default"


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner) | st.dictionaries(st.text(), inner)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), nested)


@given(JSON)
def test_plain_json_is_not_touched(value: Any) -> None:
    text = json.dumps(value)
    assert without_comments(text) == text


def test_every_cloud(tmp_path: Path) -> None:
    for name, cloud in CLOUDS.items():
        assert workspace_config(str(written(tmp_path, {**NAMES, "cloud": name}))).cloud is cloud


@pytest.mark.parametrize(
    ("credential", "choice"),
    [
        ("cli", CredentialChoice("cli")),
        ({"kind": "environment", "prefix": "TARGET_"}, CredentialChoice("environment", "TARGET_")),
        ({"kind": "managed-identity", "client_id": "c1"}, CredentialChoice("managed-identity", None, "c1")),
    ],
)
def test_credentials(tmp_path: Path, credential: Any, choice: CredentialChoice) -> None:
    assert workspace_config(str(written(tmp_path, {**NAMES, "credential": credential}))).credential == choice


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"workspace_name": None}, "workspace_name is missing"),
        ({"subscription_id": "<SUBSCRIPTION_ID>"}, "still the placeholder '<SUBSCRIPTION_ID>'"),
        ({"subscription_id": "a b"}, "subscription_id is 'a b'"),
        ({"resource_group": "a/b"}, "resource_group is 'a/b'"),
        ({"resource_group": 7}, "resource_group must be a text, not a number"),
        ({"resource_group": " "}, "resource_group is empty"),
        ({"tenant": "t"}, "unknown key 'tenant': did you mean 'tenant_id'?"),
        ({"subscriptionId": "t"}, "unknown key 'subscriptionId': did you mean 'subscription_id'?"),
        ({"tenant_id": "a/b"}, "tenant_id is 'a/b'"),
        ({"cloud": "AzureCloude"}, "expected one of AzureCloud, AzureChinaCloud, AzureUSGovernment"),
        ({"cloud": {"arm": "http://x", "login": "https://y"}}, "cloud: arm is 'http://x'"),
        ({"cloud": {"arn": "https://x"}}, "unknown key 'arn'"),
        ({"credential": "password"}, "credential is 'password': expected one of default, cli"),
        ({"credential": ["cli"]}, "credential is ['cli']"),
        ({"credential": {"kind": "cli", "prefix": "X_"}}, "prefix goes with kind 'environment'"),
        ({"credential": {"kind": "cli", "client_id": "X"}}, "client_id goes with"),
    ],
)
def test_wrong_values_are_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = written(tmp_path, {**NAMES, **change})

    message = refusal(path)

    assert str(path) in message
    assert said in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ('{"subscription_id": "a",\n "resource_group" "b"}', "line 2, column 19: not JSON"),
        ("[1]", "expected a JSON object with subscription_id, resource_group, workspace_name, not a list"),
        ("[" * 100_000, "nested too deeply"),
        ('{"subscription_id": ' + "1" * 5_000 + "}", "a number has too many digits"),
    ],
)
def test_files_that_are_no_workspace(tmp_path: Path, content: str, said: str) -> None:
    assert said in refusal(written(tmp_path, content))


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")

    assert "no such file" in refusal(tmp_path / "none.json")
    assert "is a directory" in refusal(tmp_path)
    assert "not UTF-8" in refusal(binary)


@pytest.mark.parametrize("text", ["", "nothing", "a/b", "./a/b", "a/b/c/d", "x" * 5_000])
def test_texts_that_name_no_workspace(text: str) -> None:
    assert "config.json that Studio downloads" in refusal(text)


def test_an_arm_id_of_something_else() -> None:
    assert "not the ARM id of a workspace" in refusal("/subscriptions/s/resourceGroups/g/providers/X/vaults/v")


def test_an_unrelated_key_is_somebody_elses(tmp_path: Path) -> None:
    assert workspace_config(str(written(tmp_path, {**NAMES, "owner": "me"}))).ref == REF


@pytest.mark.parametrize("more", [{}, {"Id": None}, NAMES])
def test_a_scope_names_the_workspace(tmp_path: Path, more: dict[str, Any]) -> None:
    """As azureml-core writes it: {"Id": null, "Scope": "/subscriptions/…"}."""
    assert workspace_config(str(written(tmp_path, {"Scope": resource_id(REF), **more}))).ref == REF


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"Scope": "/subscriptions/a"}, "Scope is '/subscriptions/a': expected the resource id"),
        ({"Scope": 7}, "Scope must be a text"),
        ({"Scope": resource_id(REF), **NAMES, "workspace_name": "other"}, "Scope names another workspace"),
    ],
)
def test_a_scope_that_names_none_or_another(tmp_path: Path, content: dict[str, Any], said: str) -> None:
    assert said in refusal(written(tmp_path, content))
