"""The log files of a running pipeline: `logs/azureml/*.txt`, appended to (names recorded in `logFiles`)."""

from __future__ import annotations

from azureml_sandbox import instants
from azureml_sandbox.compute.record import Record
from azureml_sandbox.compute.site import Site
from azureml_sandbox.world import RUN_ORIGIN

_SAID, *_EMPTY = (f"logs/azureml/{kind}logs.txt" for kind in ("execution", "stderr", "stdout"))


async def say(site: Site, record: Record, line: str) -> None:
    """Append a line to the execution log; the first line makes all three files."""
    container = record.document["dataContainerId"]
    text = f"[{instants.text(instants.now(), 'Z')}] {line}\n"
    for path, data in ((_SAID, text.encode()), *((path, b"") for path in _EMPTY)):
        place = site.artifact_place(container, path)
        await site.storage.put(place.account, place.container, place.path, data, content_type="text/plain", append=True)
        if site.world.artifacts.get(site.workspace.guid, (RUN_ORIGIN, container), path) is None:
            site.world.artifacts.register(site.workspace.guid, (RUN_ORIGIN, container), path)
