"""Finds the route for a path as sent, among the routes of all services."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from azureml_sandbox.arm import workspace as arm
from azureml_sandbox.artifacts import index as artifacts
from azureml_sandbox.catalog import data, datasets, model_management
from azureml_sandbox.history import runs
from azureml_sandbox.metrics import service as metrics
from azureml_sandbox.protocol.route import PREFIX, Service, Spoken

_SERVICES = "|".join(re.escape(prefix).replace(r"\{version\}", r"v[\d.]+") for prefix in PREFIX.values() if prefix)
_BELOW_WORKSPACE = re.compile(
    rf"(?P<prefix>{_SERVICES})?/subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)"
    r"/providers/microsoft\.machinelearningservices/workspaces/(?P<name>[^/]+)(?P<rest>/.*)?",
    re.IGNORECASE,
)
_BY_STEM = {prefix.rpartition("/")[0]: service for service, prefix in PREFIX.items()}
_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")


_AT_ONCE: tuple[Spoken, ...] = tuple(
    route for service in (arm, runs, metrics, artifacts, data, datasets, model_management) for route in service.ROUTES
)


def _mlflow() -> tuple[Spoken, ...]:
    """Loaded when the first one asks: importing MLflow's messages takes 0.9 of the 1.3 s that a start takes."""
    from azureml_sandbox import tracking  # noqa: PLC0415

    return tracking.ROUTES


def spoken() -> tuple[Spoken, ...]:
    """The routes of all services."""
    return (*_AT_ONCE, *_mlflow())


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a path; names are percent-decoded, `rest` is as sent."""

    service: Service
    version: str
    subscription: str
    group: str
    name: str
    rest: str

    @classmethod
    def parse(cls, path: str) -> Address | None:
        """The address in a path; None where the path names no workspace, or an unknown service."""
        match = _BELOW_WORKSPACE.fullmatch(path)
        if match is None:
            return None
        prefix = (match["prefix"] or "").lower()
        subscription, group, name = (unquote(match[part]) for part in ("subscription", "group", "name"))
        stem, _, version = prefix.rpartition("/")
        return cls(_BY_STEM[stem], version, subscription, group, name, match["rest"] or "")


class Routes:
    """All routes, by service and method."""

    def __init__(self) -> None:
        self._routes: defaultdict[tuple[str, str], list[tuple[re.Pattern[str], Spoken]]] = defaultdict(list)
        self._has_mlflow = False
        self._add(_AT_ONCE)

    def _add(self, routes: Iterable[Spoken]) -> None:
        for route in routes:
            self._routes[route.service, route.method].append((_compiled(route), route))

    def find(self, method: str, address: Address) -> tuple[Spoken, dict[str, str]] | None:
        """The route and its path parameters, percent-decoded once; None where no route fits.

        A path is matched as sent: an encoded slash is part of a name, never a separator.
        """
        if address.service == "mlflow" and not self._has_mlflow:
            self._add(_mlflow())
            self._has_mlflow = True
        for pattern, route in self._routes[address.service, method]:
            if match := pattern.fullmatch(address.rest):
                return route, {name: unquote(value) for name, value in match.groupdict().items()}
        return None


def _compiled(route: Spoken) -> re.Pattern[str]:
    """The pattern of a route's paths; ARM ignores the case of a path, the data plane does not."""
    form = _PARAMETER.sub(lambda found: f"\0{found[1]}\1{found[2] or ''}\0", route.path)
    pieces = form.split("\0")
    for index in range(1, len(pieces), 2):
        name, _, rest = pieces[index].partition("\1")
        pieces[index] = f"(?P<{name}>{'.*' if rest else '[^/]+'})"
    pieces[0::2] = map(re.escape, pieces[0::2])
    return re.compile("".join(pieces), re.IGNORECASE if route.service == "arm" else 0)
