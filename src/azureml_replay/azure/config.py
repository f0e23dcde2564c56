"""Which workspace, in which cloud, with which login: from a `config.json`, three names, or an ARM id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from azureml_replay.azure.place import azure_place, resource_id
from azureml_replay.disk.workspace_file import (
    document_of,
    is_file_name,
    optional_text,
    refuse_near_misses,
    refuse_unknown,
)
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
    if text.lower().startswith("/subscriptions/"):
        return _from_arm_id(text)
    if is_file_name(text):
        return config_of_document(document_of(Path(text), KEYS), text)
    names = text.split("/")
    if len(names) == 3 and not text.startswith((".", "~", "/")):
        return WorkspaceConfig(_ref(dict(zip(_NAMES, names, strict=True)), text), origin=text)
    raise UserError(f"{text}: no such file, and not a workspace's name: expected {_FORMS}")


_FORMS = (
    "the config.json that Studio downloads, or subscription/resource-group/name, or the workspace's ARM id, or the "
    "http(s):// address of an MLflow server"
)
_NAMES = ("subscription_id", "resource_group", "workspace_name")
KEYS = ", ".join(_NAMES)
"""What a workspace's file has to have, for messages."""
_KEYS = (*_NAMES, "tenant_id", "cloud", "credential")
_CLOUD_KEYS = ("name", "arm", "arm_scope", "login", "storage_scope", "storage_suffix", "ml_scope")
_CREDENTIAL_KEYS = ("kind", "prefix", "client_id")
_ARM_ID = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.MachineLearningServices/workspaces/([^/]+)/?",
    re.IGNORECASE,
)
_NAME = re.compile(r"[\w().-]+")
_PLACEHOLDER = re.compile(r"<.*>|\$?\{.*\}|your[-_ ].*", re.IGNORECASE)


def _from_arm_id(text: str) -> WorkspaceConfig:
    found = _ARM_ID.fullmatch(text)
    if not found:
        form = resource_id(azure_place("SUBSCRIPTION", "GROUP", "NAME"))
        raise UserError(f"{text}: not the ARM id of a workspace: expected {form}")
    return WorkspaceConfig(_ref(dict(zip(_NAMES, found.groups(), strict=True)), text), origin=text)


def config_of_document(document: Mapping[str, Json], origin: str) -> WorkspaceConfig:
    """The workspace that a file's object names; `origin` is the file. Raises UserError, as `workspace_config`."""
    refuse_near_misses(document, _KEYS, origin)
    return WorkspaceConfig(
        ref=_ref(document, origin) if not document.get("Scope") else _scoped(document, origin),
        tenant_id=_tenant(document, origin),
        cloud=_cloud(document.get("cloud"), origin),
        credential=_credential(document.get("credential"), origin),
        origin=origin,
    )


def _scoped(document: Mapping[str, Json], origin: str) -> Place:
    """The workspace of `Scope`, its ARM id, as azureml-core writes it and azure-ai-ml reads it before the names."""
    scope = optional_text(document, "Scope", origin) or ""
    found = _ARM_ID.fullmatch(scope)
    if not found:
        raise UserError(f"{origin}: Scope is {scope!r}: expected the resource id of a workspace")
    place = _ref(dict(zip(_NAMES, found.groups(), strict=True)), origin)
    if any(document.get(key) for key in _NAMES) and _ref(document, origin) != place:
        raise UserError(f"{origin}: Scope names another workspace than {', '.join(_NAMES)}: remove one of the two")
    return place


def _ref(values: Mapping[str, Json], origin: str) -> Place:
    return azure_place(*(_name(values, key, origin) for key in _NAMES))


def _name(values: Mapping[str, Json], key: str, origin: str) -> str:
    value = optional_text(values, key, origin)
    if value is None:
        raise UserError(f"{origin}: {key} is missing: expected {_FORMS}")
    if _PLACEHOLDER.fullmatch(value):
        raise UserError(f"{origin}: {key} is still the placeholder {value!r}: put your own value there")
    if not _NAME.fullmatch(value):
        raise UserError(f"{origin}: {key} is {value!r}: expected letters, digits and -_.() only")
    return value


def _tenant(values: Mapping[str, Json], where: str) -> str | None:
    value = optional_text(values, "tenant_id", where)
    if value is not None and not _NAME.fullmatch(value):
        raise UserError(f"{where}: tenant_id is {value!r}: expected the tenant's id or domain")
    return value


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
    refuse_unknown(value, _CLOUD_KEYS, where)
    arm, login = _endpoint(value, "arm", where), _endpoint(value, "login", where)
    return Cloud(
        name=optional_text(value, "name", where) or "own",
        arm=arm,
        arm_scope=optional_text(value, "arm_scope", where) or f"{arm}/.default",
        login=login,
        storage_scope=optional_text(value, "storage_scope", where) or AZURE.storage_scope,
        storage_suffix=optional_text(value, "storage_suffix", where) or AZURE.storage_suffix,
    )


def _endpoint(value: Mapping[str, Json], key: str, where: str) -> str:
    url = (optional_text(value, key, where) or "").rstrip("/")
    if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
        raise UserError(f"{where}: {key} is {url!r}: expected a URL like {getattr(AZURE, key)}")
    return url


def _credential(value: Json, origin: str) -> CredentialChoice:
    if value is None:
        return CredentialChoice()
    where = f"{origin}: credential"
    fields = value if isinstance(value, Mapping) else {"kind": value}
    refuse_unknown(fields, _CREDENTIAL_KEYS, where)
    prefix, client_id = optional_text(fields, "prefix", where), optional_text(fields, "client_id", where)
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
