"""Which workspace, in which cloud, with which login: from a `config.json`, three names, or an ARM id."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from azureml_replay.azure.place import azure_place, resource_id
from azureml_replay.disk.inputs import text_of
from azureml_replay.errors import UserError
from azureml_replay.model import Json
from azureml_replay.workspace.place import Place

CredentialKind: TypeAlias = Literal["default", "cli", "environment", "managed-identity", "workload-identity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """The addresses of a cloud. All others come from the workspace's own `discoveryUrl` and datastores."""

    name: str
    arm: str
    """Resource manager, without a slash at the end."""
    arm_scope: str
    """The scope of tokens for ARM, run history, metrics and MLflow, as azure-ai-ml asks it (clients.md 1.4)."""
    login: str
    """Authority host, without a slash at the end."""
    storage_scope: str = "https://storage.azure.com/.default"
    """The scope of tokens for storage: one for all public clouds (azure-storage-blob: `STORAGE_OAUTH_SCOPE`)."""
    storage_suffix: str = "core.windows.net"
    ml_scope: str = "https://ml.azure.com/.default"
    """The scope of the second token that a submitted pipeline carries (synthetic.md 2.2)."""


AZURE = Cloud(
    name="AzureCloud",
    arm="https://management.azure.com",
    arm_scope="https://management.azure.com/.default",
    login="https://login.microsoftonline.com",
)
# Hosts as in azure-ai-ml 1.35, `_azure_environments.py`, which asks the same scopes.
AZURE_CHINA = Cloud(
    name="AzureChinaCloud",
    arm="https://management.chinacloudapi.cn",
    arm_scope="https://management.chinacloudapi.cn/.default",
    login="https://login.chinacloudapi.cn",
    storage_suffix="core.chinacloudapi.cn",
    ml_scope="https://ml.azure.cn/.default",
)
AZURE_US_GOVERNMENT = Cloud(
    name="AzureUSGovernment",
    arm="https://management.usgovcloudapi.net",
    arm_scope="https://management.usgovcloudapi.net/.default",
    login="https://login.microsoftonline.us",
    storage_suffix="core.usgovcloudapi.net",
    ml_scope="https://ml.azure.us/.default",
)
CLOUDS: Mapping[str, Cloud] = {cloud.name: cloud for cloud in (AZURE, AZURE_CHINA, AZURE_US_GOVERNMENT)}


@dataclass(frozen=True, slots=True)
class CredentialChoice:
    """How to log in; `azure/credentials.py` makes the object, one for each workspace."""

    kind: CredentialKind = "default"
    prefix: str | None = None
    """For `environment`: what stands before the usual names; `TARGET_` reads `TARGET_AZURE_CLIENT_ID`."""
    client_id: str | None = None
    """For `managed-identity` and `workload-identity`: which of several identities."""


@dataclass(frozen=True, slots=True)
class WorkspaceConfig:
    """A workspace and how to reach it."""

    ref: Place
    tenant_id: str | None = None
    cloud: Cloud = AZURE
    credential: CredentialChoice = CredentialChoice()
    origin: str = ""
    """The file or the text that named the workspace, for messages."""


def workspace_config(text: str) -> WorkspaceConfig:
    """The workspace that a text names: a path of a config.json, `subscription/resource-group/name`, or an ARM id.

    Raises UserError, one line: file and key, what was expected, what to do.
    """
    if not text.strip():
        raise UserError(f"no workspace given: expected {_FORMS}")
    path = Path(text)
    if text.lower().startswith("/subscriptions/"):
        return _from_arm_id(text)
    if path.suffix.lower() == ".json" or os.path.lexists(path):  # exists() raises on a name that is too long
        return _from_file(path)
    names = text.split("/")
    if len(names) == 3 and not text.startswith((".", "~", "/")):
        return WorkspaceConfig(_ref(dict(zip(_NAMES, names, strict=True)), text), origin=text)
    raise UserError(f"{text}: no such file, and not a workspace's name: expected {_FORMS}")


_FORMS = "the config.json that Studio downloads, or subscription/resource-group/name, or the workspace's ARM id"
MOST_BYTES = 1_000_000
"""Of a config.json: Studio's has 120."""
_NAMES = ("subscription_id", "resource_group", "workspace_name")
_KEYS = (*_NAMES, "tenant_id", "cloud", "credential")
_CLOUD_KEYS = ("name", "arm", "arm_scope", "login", "storage_scope", "storage_suffix", "ml_scope")
_CREDENTIAL_KEYS = ("kind", "prefix", "client_id")
_ARM_ID = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.MachineLearningServices/workspaces/([^/]+)/?",
    re.IGNORECASE,
)
_NAME = re.compile(r"[\w().-]+")
_PLACEHOLDER = re.compile(r"<.*>|\$?\{.*\}|your[-_ ].*", re.IGNORECASE)
_STRING = r'"(?:\\.|[^"\\\n])*"?'
# Without an end, both reach as far as they can: sought again from each beginning, 30 MB took a minute.
_COMMENT = re.compile(_STRING + r"|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_TRAILING_COMMA = re.compile(_STRING + r"|,(?=\s*[}\]])")


def _from_arm_id(text: str) -> WorkspaceConfig:
    found = _ARM_ID.fullmatch(text)
    if not found:
        form = resource_id(azure_place("SUBSCRIPTION", "GROUP", "NAME"))
        raise UserError(f"{text}: not the ARM id of a workspace: expected {form}")
    return WorkspaceConfig(_ref(dict(zip(_NAMES, found.groups(), strict=True)), text), origin=text)


def _from_file(path: Path) -> WorkspaceConfig:
    origin = str(path)
    document = _document(_text(path), origin)
    _refuse_near_misses(document, _KEYS, origin)
    return WorkspaceConfig(
        ref=_ref(document, origin) if not document.get("Scope") else _scoped(document, origin),
        tenant_id=_optional(document, "tenant_id", origin),
        cloud=_cloud(document.get("cloud"), origin),
        credential=_credential(document.get("credential"), origin),
        origin=origin,
    )


def _scoped(document: Mapping[str, Json], origin: str) -> Place:
    """The workspace of `Scope`, its ARM id, as azureml-core writes it and azure-ai-ml reads it before the names."""
    scope = _optional(document, "Scope", origin) or ""
    found = _ARM_ID.fullmatch(scope)
    if not found:
        raise UserError(f"{origin}: Scope is {scope!r}: expected the resource id of a workspace")
    place = _ref(dict(zip(_NAMES, found.groups(), strict=True)), origin)
    if any(document.get(key) for key in _NAMES) and _ref(document, origin) != place:
        raise UserError(f"{origin}: Scope names another workspace than {', '.join(_NAMES)}: remove one of the two")
    return place


def _text(path: Path) -> str:
    if path.is_dir():
        raise UserError(f"{path} is a directory: name the config.json inside it")
    try:
        return text_of(path, most_bytes=MOST_BYTES, what="a config.json as Studio downloads it")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: download config.json from the workspace's page in Studio") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def _document(text: str, origin: str) -> Mapping[str, Json]:
    if not text.strip():
        raise UserError(f"{origin} is empty: expected a JSON object with {', '.join(_NAMES)}")
    try:
        document = json.loads(without_comments(text))
    except json.JSONDecodeError as error:
        raise UserError(f"{origin}, line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise UserError(f"{origin}: not a workspace file: nested too deeply") from None
    except ValueError:  # Python reads no number of more than 4,300 digits
        raise UserError(f"{origin}: not a workspace file: a number has too many digits") from None
    if not isinstance(document, dict):
        raise UserError(f"{origin}: expected a JSON object with {', '.join(_NAMES)}, not {_kind(document)}")
    return document


def without_comments(text: str) -> str:
    """JSON without its `//` and `/* */` comments and trailing commas; lines and columns stay where they are."""
    return _TRAILING_COMMA.sub(_blank, _COMMENT.sub(_blank, text))


def _blank(found: re.Match[str]) -> str:
    piece = found.group()
    return piece if piece.startswith('"') else re.sub(r"[^\n]", " ", piece)


def _refuse_near_misses(document: Iterable[str], known: Collection[str], where: str) -> None:
    """Raise UserError for a key that is nearly a known one: a misspelt option would be ignored. Other keys may be."""
    plain = {key.replace("_", ""): key for key in known}
    for key in document:
        if key in known:
            continue
        near = get_close_matches(re.sub(r"[^a-z]", "", key.lower()), plain, n=1, cutoff=0.75)
        if near:
            raise UserError(f"{where}: unknown key {key!r}: did you mean {plain[near[0]]!r}?")


def _ref(values: Mapping[str, Json], origin: str) -> Place:
    return azure_place(*(_name(values, key, origin) for key in _NAMES))


def _name(values: Mapping[str, Json], key: str, origin: str) -> str:
    value = _optional(values, key, origin)
    if value is None:
        raise UserError(f"{origin}: {key} is missing: expected {_FORMS}")
    if _PLACEHOLDER.fullmatch(value):
        raise UserError(f"{origin}: {key} is still the placeholder {value!r}: put your own value there")
    if not _NAME.fullmatch(value):
        raise UserError(f"{origin}: {key} is {value!r}: expected letters, digits and -_.() only")
    return value


def _optional(values: Mapping[str, Json], key: str, where: str) -> str | None:
    value = values.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise UserError(f"{where}: {key} must be a text, not {_kind(value)}")
    if not value.strip():
        raise UserError(f"{where}: {key} is empty: fill it in or remove it")
    if key == "tenant_id" and not _NAME.fullmatch(value):
        raise UserError(f"{where}: tenant_id is {value!r}: expected the tenant's id or domain")
    return value.strip()


def _cloud(value: Json, origin: str) -> Cloud:
    if value is None:
        return AZURE
    if isinstance(value, Mapping):
        return _own_cloud(value, f"{origin}: cloud")
    if isinstance(value, str) and value in CLOUDS:
        return CLOUDS[value]
    raise UserError(f"{origin}: cloud is {value!r}: expected one of {', '.join(CLOUDS)}, or an object of endpoints")


def _own_cloud(value: Mapping[str, Json], where: str) -> Cloud:
    """A private or sovereign cloud, from an object of endpoints; scopes and the storage suffix have defaults."""
    _refuse_unknown(value, _CLOUD_KEYS, where)
    arm, login = _endpoint(value, "arm", where), _endpoint(value, "login", where)
    return Cloud(
        name=_optional(value, "name", where) or "own",
        arm=arm,
        arm_scope=_optional(value, "arm_scope", where) or f"{arm}/.default",
        login=login,
        storage_scope=_optional(value, "storage_scope", where) or AZURE.storage_scope,
        storage_suffix=_optional(value, "storage_suffix", where) or AZURE.storage_suffix,
    )


def _endpoint(value: Mapping[str, Json], key: str, where: str) -> str:
    url = (_optional(value, key, where) or "").rstrip("/")
    if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
        raise UserError(f"{where}: {key} is {url!r}: expected a URL like {getattr(AZURE, key)}")
    return url


def _credential(value: Json, origin: str) -> CredentialChoice:
    if value is None:
        return CredentialChoice()
    where = f"{origin}: credential"
    fields = value if isinstance(value, Mapping) else {"kind": value}
    _refuse_unknown(fields, _CREDENTIAL_KEYS, where)
    prefix, client_id = _optional(fields, "prefix", where), _optional(fields, "client_id", where)
    kind = _credential_kind(fields.get("kind"), where)
    if prefix and kind != "environment":
        raise UserError(f"{where}: prefix goes with kind 'environment', not with {kind!r}")
    if client_id and kind not in ("managed-identity", "workload-identity"):
        raise UserError(
            f"{where}: client_id goes with kind 'managed-identity' or 'workload-identity', not with {kind!r}"
        )
    return CredentialChoice(kind, prefix, client_id)


def _credential_kind(value: Json, where: str) -> CredentialKind:
    for kind in get_args(CredentialKind):
        if value == kind:
            return kind  # type: ignore[no-any-return]  # get_args forgets that it listed the literal's own values
    kinds = ", ".join(get_args(CredentialKind))
    raise UserError(f"{where} is {value!r}: expected one of {kinds}, or an object with kind, prefix, client_id")


def _refuse_unknown(fields: Mapping[str, Json], known: Collection[str], where: str) -> None:
    for key in fields:
        if key not in known:
            raise UserError(f"{where}: unknown key {key!r}: expected {', '.join(known)}")


def _kind(value: Json) -> str:
    """The kind of a value in JSON's words."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
