"""Where Azure ML keeps the files of a run: the names of its container and of the storage behind it (pure)."""

from __future__ import annotations

from azureml_replay.model import Artifact, Location, RunId, StoredFile

ARTIFACT_STORE = "workspaceartifactstore"
"""The datastore of every workspace that holds the files of its runs."""
RUN_FILES = "ExperimentRun"
"""The artifact origin of runs, and the folder of the artifact store that holds their containers."""
_PREFIX = "dcid."


def container_of(run: RunId) -> str:
    """The name of a run's own container."""
    return _PREFIX + run


def lender_in(container: str, run: RunId) -> RunId | None:
    """The run whose container `run` shows, from that container's name; None for its own one (responses.md 4.1)."""
    owner = RunId(container.removeprefix(_PREFIX))
    return owner if owner not in ("", run) else None


def place_of(run: RunId, path: str) -> Location:
    """The place of a file in a run's own container; for an empty path the container's folder, ending in a slash."""
    return Location(ARTIFACT_STORE, f"{RUN_FILES}/{container_of(run)}/{path}")


def stored_artifact(run: RunId, file: StoredFile) -> Artifact:
    """A blob of a run's container as an artifact, by the path that the run shows; `indexed` is not known here."""
    path = file.location.path.removeprefix(place_of(run, "").path)
    return Artifact(path=path, location=file.location, indexed=False, stored=file)


def container_in(place: Location) -> str:
    """The name of the container that holds a blob."""
    _, _, rest = place.path.partition(f"{RUN_FILES}/")
    return rest.partition("/")[0]


def path_in_link(value: str) -> str:
    """`aml://artifactId/ExperimentRun/dcid.r1/outputs/a.png` -> `outputs/a.png`; a path is a path."""
    _, marker, rest = value.partition(f"/{_PREFIX}")
    return rest.partition("/")[2] if marker else value
