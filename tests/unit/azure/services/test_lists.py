"""Lists of several pages: followed to their end, as the service says, and never to another host."""

from __future__ import annotations

import orjson
import pytest

from azureml_replay.archive import digests
from azureml_replay.azure.config import AZURE
from azureml_replay.azure.place import azure_place, resource_id
from azureml_replay.azure.services.arm import Arm
from azureml_replay.azure.services.history import RunHistory
from azureml_replay.azure.services.metrics import MetricService
from azureml_replay.azure.services.pages import pages
from azureml_replay.azure.wire.decode import Page
from azureml_replay.azure.words import AZURE_WORDS
from azureml_replay.comparison.runs import compare_runs
from azureml_replay.errors import NotFound, Rejected, Unavailable
from azureml_replay.model import Run, RunId, Series, SeriesKey
from azureml_replay.sending.sender import Sender
from unit.scripted import Patient, Said, Scripted, Tokens

REF = azure_place("s", "g", "w")
API = "https://westeurope.api.example"
NEXT = f"{AZURE.arm}{resource_id(REF)}/jobs?api-version=2024-04-01&$skipToken=a%2fb%3d%3d"


def said(document: object) -> Said:
    return Said(200, orjson.dumps(document))


def arm(transport: Scripted) -> Arm:
    return Arm(Sender(transport, Tokens(), AZURE_WORDS, parallel=1, clock=Patient()), AZURE, REF)


def history(transport: Scripted) -> RunHistory:
    sender = Sender(transport, Tokens(), AZURE_WORDS, parallel=1, clock=Patient())
    return RunHistory(sender, API, Arm(sender, AZURE, REF), resource_id(REF), "scope")


def metrics(transport: Scripted) -> MetricService:
    return MetricService(
        Sender(transport, Tokens(), AZURE_WORDS, parallel=1, clock=Patient()), API, resource_id(REF), "scope"
    )


async def test_a_next_link_is_followed_byte_for_byte() -> None:
    """Its token is opaque, and its escapes are lower case."""
    transport = Scripted(said({"value": [{"name": "a"}], "nextLink": NEXT}), said({"value": [{"name": "b"}]}))

    assert [job.name async for page in arm(transport).jobs() for job in page] == ["a", "b"]
    assert "listViewType=All" in transport.requests[0].url
    assert transport.requests[1].url == NEXT


async def test_experiments_of_every_name_and_archived_ones_are_asked_for() -> None:
    """The service hides both by default (swagger: `urlSafeExperimentNamesOnly`, `viewType`)."""
    transport = Scripted(said({"value": []}))
    assert [page async for page in history(transport).experiments()] == [[]]

    assert transport.requests[0].url.endswith("/experiments:query?urlSafeExperimentNamesOnly=false")
    assert orjson.loads(transport.requests[0].content) == {"viewType": "All"}


@pytest.mark.parametrize("link", ["https://elsewhere.example/x", "https://management.azure.com.evil.example/x"])
async def test_a_list_that_goes_on_at_another_host_is_refused(link: str) -> None:
    """Our token would go along."""
    first = {"value": [], "nextLink": link}
    transport = Scripted(said(first), said(first))

    with pytest.raises(Rejected, match="another host"):
        [page async for page in arm(transport).jobs()]
    with pytest.raises(Rejected, match="another host"):
        [page async for page in history(transport).children(RunId("r"))]
    assert len(transport.requests) == 2


async def test_children_are_followed_by_token_and_by_link() -> None:
    """Whichever the service gives; an empty page with a token is not the end."""
    child = {"runId": "c", "experimentId": ""}
    link = f"{API}/history/next?x=%2f"
    transport = Scripted(
        said({"value": [], "continuationToken": "a/b+c"}),
        said({"value": [child], "nextLink": link}),
        said({"value": [{**child, "runId": "d"}]}),
    )

    assert [run.id async for page in history(transport).children(RunId("r")) for run in page] == ["c", "d"]
    assert transport.requests[1].url.endswith("/children?$continuationtoken=a%2Fb%2Bc")
    assert transport.requests[2].url == link


async def test_a_page_that_leads_to_itself_ends_the_list_with_an_error() -> None:
    """Neither silence nor a loop without end."""

    async def ask(_: Page | None) -> Page:
        return Page([], token="again")

    with pytest.raises(Unavailable, match="does not end"):
        [page async for page in pages(ask)]
    row = {"name": "m", "columns": {"m": "Double"}, "value": [], "continuationToken": "again"}
    with pytest.raises(Unavailable, match="do not end"):
        [
            points
            async for points in metrics(Scripted(said(row), said(row))).points(
                RunId("r"), Series(key=SeriesKey("m"), columns=())
            )
        ]


async def test_a_missing_route_is_not_a_run_without_metrics() -> None:
    """A 404 of the service names its reason; one without is a gateway's, and metrics would be lost."""
    missing = Said(404, b'{"error":{"code":"UserError","message":"m","innerError":{"code":"NotFoundError"}}}')

    assert await metrics(Scripted(missing)).series(RunId("r")) == []
    with pytest.raises(NotFound):
        await metrics(Scripted(Said(404, b""))).series(RunId("r"))


async def test_a_run_that_an_answer_does_not_mention_is_unknown() -> None:
    """Neither written nor refused: asked again later."""
    outcomes = await history(Scripted(said({"runs": {}, "errors": {}}))).put_runs("e", [Run(id=RunId("r"))])
    assert isinstance(outcomes[RunId("r")], Unavailable)


async def test_a_run_that_cannot_be_read_now_is_not_a_run_that_is_gone() -> None:
    """Only what the service does not know is left out."""
    failed = {"r": {"error": {"code": "ServiceError", "message": "storage is busy"}}}

    with pytest.raises(Unavailable, match="run r cannot be read: storage is busy"):
        await history(Scripted(said({"failedResults": failed}))).details([RunId("r")])


async def test_components_of_nested_pipelines_are_read_however_deep_and_in_whatever_circle() -> None:
    """A thousand pipelines within each other, the last of which names the first."""
    names = [f"/subscriptions/s/components/c/versions/{at}" for at in range(1_000)]

    def of(name: str) -> dict[str, object]:
        return {"jobs": {"n": {"type": "pipeline", "componentId": name}}}

    components = [{"properties": {"componentSpec": of(name)}} for name in (*names[1:], names[0])]
    transport = Scripted(said({"value": [{"name": "j", "properties": of(names[0])}]}), *map(said, components))

    ((job,),) = [page async for page in arm(transport).jobs()]

    assert job.document["nestedComponents"] == dict(zip(names, components, strict=True))  # type: ignore[index,call-overload]
    assert len(transport.requests) == 1 + len(names)


async def test_what_is_nested_without_end_stops_no_list() -> None:
    """Of such a run all else is read; the same run comes the same way again."""
    deep = b'{"x":' * 5_000 + b"1" + b"}" * 5_000
    body = b'{"value": [{"runId": "a"}, {"runId": "b", "tags": {"t": "1"}, "parameters": {"deep": %s}}]}' % deep

    (page,) = [page async for page in history(Scripted(Said(200, body))).children(RunId("r"))]
    (again,) = [page async for page in history(Scripted(Said(200, body))).children(RunId("r"))]

    assert [(run.id, run.tags, [*run.parameters]) for run in page] == [("a", {}, []), ("b", {"t": "1"}, ["deep"])]
    assert digests.of_run(page[1]) == digests.of_run(again[1]) != digests.of_run(page[0])
    assert list(compare_runs(page[1], again[1])) == []
