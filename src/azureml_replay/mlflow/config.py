"""Which MLflow server, and how to log in there: by its address or a JSON file, and the environment as MLflow has it."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, TypeAlias, get_args
from urllib.parse import SplitResult, unquote, urlsplit

from azureml_replay.disk.inputs import text_of
from azureml_replay.disk.workspace_file import kind_of, optional_text, refuse_unknown
from azureml_replay.errors import UserError
from azureml_replay.mlflow.place import KIND, WORKSPACE, mlflow_place, workspace_in
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.trust import Trust

ArtifactsBy: TypeAlias = Literal["proxied", "none"]
"""How files reach a server: through itself, or not at all."""
_KEYS = ("mlflow", "experiment_prefix", "artifacts", "workspace", "insecure", "credential")
_FORM = "http://HOST:PORT or https://HOST, as MLFLOW_TRACKING_URI has it"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_DATABRICKS = re.compile(
    r"databricks(://.*)?|https?://[^/]*\.(azuredatabricks\.net|databricks\.(com|us|azure\.cn))(/.*)?"
)
_STORES = ("sqlite:", "postgresql", "mysql", "mssql", "file:")
MOST_BYTES = 100_000
"""Of a file of credentials: two lines each."""


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """What is shown at the server's door. Its values are secrets: they stand in no text of ours."""

    user: str | None = None
    password: str | None = None
    token: str | None = None

    def __repr__(self) -> str:
        return f"Login({'user and password' if self.user else 'token' if self.token else 'none'})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """A server and how to reach it."""

    ref: Place
    login: Login = field(default_factory=Login, compare=False)
    trust: Trust = field(default_factory=Trust)
    experiment_prefix: str = ""
    """What stands before the names of experiments that are written there."""
    artifacts: ArtifactsBy = "proxied"
    origin: str = ""
    """The file or the address that named the server, for messages."""


def names_server(text: str) -> bool:
    """True for an address of whatever kind, and for what MLflow takes in its place: no path, and no names."""
    if _DATABRICKS.fullmatch(text) or text.lower().startswith("arn:"):
        return True
    return "://" in text or text.lower().startswith(_STORES)


def server_config(text: str, environment: Mapping[str, str] | None = None) -> ServerConfig:
    """The server of an address. Raises UserError, one line, for what is none, or is another kind of service."""
    return _configured(text, environment)


def config_of_server(place: Place, environment: Mapping[str, str] | None = None) -> ServerConfig:
    """A server that an archive names, with the environment's login. Raises UserError."""
    return _configured(place.key, environment)


def server_of_document(
    document: Mapping[str, object], origin: str, environment: Mapping[str, str] | None = None
) -> ServerConfig:
    """The server that a file's object names under `mlflow`. Raises UserError, one line: file, key, what to do."""
    refuse_unknown(document, _KEYS, origin)
    address = optional_text(document, "mlflow", origin)
    if address is None:
        raise UserError(f"{origin}: mlflow is null: expected {_FORM}")
    artifacts = optional_text(document, "artifacts", origin) or "proxied"
    if artifacts not in get_args(ArtifactsBy):
        raise UserError(f"{origin}: artifacts is {artifacts!r}: expected one of {', '.join(get_args(ArtifactsBy))}")
    return _configured(
        address,
        environment,
        origin=origin,
        prefix=_credential_prefix(document.get("credential"), f"{origin}: credential"),
        workspace=optional_text(document, "workspace", origin),
        insecure=_truth(document, "insecure", origin),
        experiment_prefix=optional_text(document, "experiment_prefix", origin) or "",
        artifacts="none" if artifacts == "none" else "proxied",
    )


def _configured(
    address: str,
    environment: Mapping[str, str] | None,
    *,
    origin: str = "",
    prefix: str = "",
    workspace: str | None = None,
    insecure: bool = False,
    experiment_prefix: str = "",
    artifacts: ArtifactsBy = "proxied",
) -> ServerConfig:
    variables = {
        name.removeprefix(prefix): value
        for name, value in (os.environ if environment is None else environment).items()
        if name.startswith(f"{prefix}MLFLOW_")
    }
    parts = _parts(address, origin)
    if parts.scheme == "http" and not insecure and not _is_loopback(parts.hostname or ""):
        raise UserError(
            f"{origin or _shown(parts)}: plain http sends logins and data readable over the network: give https://, or "
            f'a JSON file with {{"mlflow": "{_shown(parts)}", "insecure": true}}'
        )
    named = workspace or workspace_in(parts.query) or variables.get("MLFLOW_WORKSPACE")
    place = mlflow_place(_shown(parts), named)
    return ServerConfig(
        ref=place,
        login=_login(parts, variables, shared=not prefix),
        trust=_trust(variables),
        experiment_prefix=experiment_prefix,
        artifacts=artifacts,
        origin=origin or str(place),
    )


def _parts(address: str, origin: str) -> SplitResult:
    where = f"{origin}: " if origin else ""
    _refuse_others(address, where)
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise UserError(f"{where}no address of an MLflow server: expected {_FORM}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        shown = f"{parts.scheme}://…" if "@" in address else address
        raise UserError(f"{where}{shown}: no address of an MLflow server: expected {_FORM}")
    if parts.fragment or set(filter(None, parts.query.split("&"))) - {f"{WORKSPACE}={_value(parts.query)}"}:
        raise UserError(
            f"{where}{_shown(parts)}: an address ends before ? and #, but for ?{WORKSPACE}=NAME: leave out what follows"
        )
    return parts


def _value(query: str) -> str:
    return query.partition(f"{WORKSPACE}=")[2].partition("&")[0]


def _refuse_others(address: str, where: str) -> None:
    """Raise UserError for services that MLflow's clients reach and that are another kind of target."""
    lowered = address.lower()
    if _DATABRICKS.fullmatch(lowered):
        raise UserError(
            f"{where}Databricks is not supported: its experiments are paths of its workspace, and files go by "
            "addresses that it signs. Give the address of an MLflow server"
        )
    if lowered.startswith("arn:"):
        raise UserError(
            f"{where}SageMaker is not supported: each request to it is signed by AWS. Give the address of an MLflow "
            "server"
        )
    if lowered.startswith("azureml://"):
        raise UserError(f"{where}this is MLflow's address of an Azure ML workspace: give its config.json")
    if lowered.startswith(_STORES):
        raise UserError(
            f"{where}this is where an MLflow server keeps its data, not its address: start `mlflow server "
            "--backend-store-uri` with it, and give http://127.0.0.1:5000"
        )


def _shown(parts: SplitResult) -> str:
    """The address without its login and query."""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _truth(document: Mapping[str, object], key: str, origin: str) -> bool:
    value = document.get(key, False)
    if not isinstance(value, bool):
        raise UserError(f"{origin}: {key} must be true or false, not {kind_of(value)}")
    return value


def _credential_prefix(value: object, where: str) -> str:
    """What stands before MLflow's variables, so that two servers have two logins; the file itself holds no secret."""
    if value is None:
        return ""
    if not isinstance(value, Mapping):
        raise UserError(f'{where} must be an object like {{"prefix": "TARGET_"}}, not {kind_of(value)}')
    refuse_unknown(value, ("prefix",), where)
    return optional_text(value, "prefix", where) or ""


def _login(parts: SplitResult, variables: Mapping[str, str], *, shared: bool) -> Login:
    """In MLflow's order: the address's own, user and password of the environment or the file, then the token."""
    if parts.username is not None:
        return Login(unquote(parts.username), unquote(parts.password or ""))
    if unsupported := next((name for name in _UNSUPPORTED if variables.get(name)), None):
        raise UserError(f"{unsupported} is set: that way to log in is not supported: {LOGIN_HELP}")
    kept = _kept() if shared else {}
    user = variables.get("MLFLOW_TRACKING_USERNAME") or kept.get("mlflow_tracking_username")
    password = variables.get("MLFLOW_TRACKING_PASSWORD") or kept.get("mlflow_tracking_password")
    if user and password:
        return Login(user, password)
    return Login(token=variables.get("MLFLOW_TRACKING_TOKEN"))


LOGIN_HELP = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
_UNSUPPORTED = ("MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_TRACKING_AUTH")


def _kept() -> Mapping[str, str]:
    """What `~/.mlflow/credentials` holds; nothing where it is not there. Raises UserError without a word of it."""
    path = Path("~/.mlflow/credentials").expanduser()
    try:
        text = text_of(path, most_bytes=MOST_BYTES, what="MLflow's credentials")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error:
        raise UserError(f"{path} is no file of credentials: expected a section [{KIND}]") from None
    return dict(parser[KIND]) if parser.has_section(KIND) else {}


_INSECURE, _CERTIFICATES, _OWN = (
    "MLFLOW_TRACKING_INSECURE_TLS",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
)


def _trust(variables: Mapping[str, str]) -> Trust:
    anything = variables.get(_INSECURE, "").lower() in ("true", "1")
    if anything and variables.get(_CERTIFICATES):
        raise UserError(f"{_INSECURE} and {_CERTIFICATES} are both set: leave out the first")
    files = [(name, variables[name]) if variables.get(name) else None for name in (_CERTIFICATES, _OWN)]
    return Trust(certificates=files[0], own=files[1], anything=anything)
