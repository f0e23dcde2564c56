"""Registers files at the place where they are, instead of copying them, if the target can reach it (`--attach`)."""

from __future__ import annotations

from azureml_replay.errors import Rejected
from azureml_replay.model import Artifact, Location
from azureml_replay.planning.plan import Step
from azureml_replay.redact import has_replacement
from azureml_replay.workspace.target import Target


async def attached(target: Target, step: Step, path: str, artifact: Artifact) -> bool:
    """Register a file; True where the target's index now leads to the same blob as the source's. Repeatable.

    The datastores of that name are the same container where path, size and ETag of the blob are equal: storage makes a
    new ETag with every write. Raises Unavailable.
    """
    place, stored = artifact.location, artifact.stored
    own = target.place(step.run.id, path).datastore  # the source has one of this name, at another place
    if place.datastore == own or not artifact.indexed or stored is None or step.lender is not None:
        return False
    if has_replacement(place.path):
        return False  # the archive does not tell where it is
    try:
        there = await target.stored_file(place)
    except Rejected:
        return False  # the target has no such datastore, or may not read it
    if there is None or stored.etag is None or (there.etag, there.size_bytes) != (stored.etag, stored.size_bytes):
        return False
    return await target.attach_file(step.run.id, path, place) or await _leads_there(target, step, path, place)


async def _leads_there(target: Target, step: Step, path: str, place: Location) -> bool:
    """True where the path is taken by an entry that leads to this place, as one of an earlier call does."""
    async for page in target.artifacts(step.run):
        for artifact in page:
            if artifact.path == path:
                return artifact.location == place
    return False
