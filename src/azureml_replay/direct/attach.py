"""Files that the target can reach where they lie: registered there, not copied (`--attach`)."""

from __future__ import annotations

from azureml_replay.errors import Rejected
from azureml_replay.model import Artifact, Location
from azureml_replay.planning.plan import Step
from azureml_replay.workspace.target import Target


async def attached(target: Target, step: Step, path: str, artifact: Artifact) -> bool:
    """True where the target's index now leads to the very blob that the source's leads to. Repeatable.

    That its datastore of that name is the same container shows the blob: path, size and ETag, which storage makes anew
    with every write to it. Raises Unavailable.
    """
    place, stored = artifact.location, artifact.stored
    own = target.place(step.run.id, path).datastore  # of the same name in the source, and another place
    if place.datastore == own or not artifact.indexed or stored is None or step.lender is not None:
        return False
    try:
        there = await target.stored_file(place)
    except Rejected:
        return False  # the target has no such datastore, or may not read it
    if there is None or stored.etag is None or (there.etag, there.size_bytes) != (stored.etag, stored.size_bytes):
        return False
    return await target.attach_file(step.run.id, path, place) or await _leads_there(target, step, path, place)


async def _leads_there(target: Target, step: Step, path: str, place: Location) -> bool:
    """Where the path is taken: an entry of an earlier call that leads to this place is as good."""
    async for page in target.artifacts(step.run):
        for artifact in page:
            if artifact.path == path:
                return artifact.location == place
    return False
