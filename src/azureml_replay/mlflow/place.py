"""MLflow servers as places: an address, and on servers that have them one of its workspaces (pure)."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

from azureml_replay.workspace.place import Place

KIND = "mlflow"
WORKSPACE = "workspace"
"""The name in the query of an address behind which a server's workspace stands: so one text names both."""


def mlflow_place(address: str, workspace: str | None = None) -> Place:
    """By an address without login and query. A default port, a last slash and the host's case make no difference."""
    base = _base(address)
    name = f"{base}?{WORKSPACE}={quote(workspace, safe='')}" if workspace else base
    return Place(KIND, name, name)


def address_of(place: Place) -> str:
    """The address that requests begin with, without a last slash."""
    return place.key.partition("?")[0]


def workspace_of(place: Place) -> str | None:
    """The server's workspace, where one was named."""
    return workspace_in(urlsplit(place.key).query)


def workspace_in(query: str) -> str | None:
    """The workspace that the query of an address names; None for none."""
    return next(iter(parse_qs(query).get(WORKSPACE, ())), None)


def _base(address: str) -> str:
    parts = urlsplit(address)
    host = (parts.hostname or "").lower()
    shown = f"[{host}]" if ":" in host else host
    port = parts.port
    standard = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{shown}{f':{port}' if port not in (None, standard) else ''}{parts.path.rstrip('/')}"
