"""Assets on the page: what became of each, which run made it and which use it, and a run's references as links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import AssetReceipt, AssetState
from azureml_replay.archive.assets import AssetExtraction
from azureml_replay.archive.database import now
from azureml_replay.instants import Instant
from azureml_replay.model import Finding, RunId
from azureml_replay.planning.assets import digest_of_asset
from azureml_replay.report_page import report
from azureml_replay.workspace.asset import Asset, AssetKey, AssetKind, AssetUse, OutsideKind, mention
from looks import all_looked_at
from report.archives import BEGIN, HOSTILE, SOURCE, TARGET, a_run, put
from report.conftest import Opened
from report.test_list import AXE

Open = Callable[..., Opened]
FLOW = AssetKey(AssetKind.MODEL, "flow", "1")
ENVIRONMENT = AssetKey(AssetKind.ENVIRONMENT, "own-env", "2")
COMPONENT = AssetKey(AssetKind.COMPONENT, "train", "0.0.1")
NUMBERS = AssetKey(AssetKind.DATA, "numbers", "1")
GONE = AssetKey(AssetKind.ENVIRONMENT, "gone", "7")
LINK_LOST = "the target keeps no link from it to run train: its property azureml_replay names it"


def filled(folder: Path, extra: int = 0) -> Path:
    """A run that made a model and names an environment, data and a registry's; one asset of each verdict."""
    assets = [
        Asset(key=FLOW, content={"type": "mlflow_model"}, run=RunId("train"), created=Instant(BEGIN)),
        Asset(key=ENVIRONMENT, content={"image": "ubuntu"}, created=Instant(BEGIN)),
        Asset(
            key=COMPONENT,
            content={"environment": mention(ENVIRONMENT)},
            uses=(AssetUse("environment", "e", key=ENVIRONMENT),),
        ),
        Asset(key=NUMBERS, content={"type": "uri_file"}, archived=True),
        *(
            Asset(key=AssetKey(AssetKind.DATA, HOSTILE[at % 2], str(at)), content={}, description=HOSTILE[0])
            for at in range(extra)
        ),
    ]
    with Archive.create(folder, SOURCE) as archive:
        put(archive, [a_run("train", display_name="the training"), a_run("score"), a_run("other")])
        archive.put_studio(SOURCE, "https://studio.example")
        archive.put_studio(TARGET, "https://studio.other")
        archive.put_assets(assets)
        archive.lack_asset(GONE, "the workspace has none of that name and version")
        registry = "azureml://registries/azureml/environments/sklearn-1.5/versions/26"
        archive.put_uses(
            RunId("train"),
            [
                AssetUse("properties.environmentId", "azureml:own-env:2", key=ENVIRONMENT),
                AssetUse("properties.inputs.d.uri", "azureml:numbers:1", key=NUMBERS),
                AssetUse("inputs.d", "azureml:numbers:1", key=NUMBERS),
                AssetUse("properties.registry", registry, outside=OutsideKind.REGISTRY),
            ],
        )
        for name in ("score", "other"):
            archive.put_uses(RunId(name), [AssetUse("properties.environmentId", "azureml:gone:7", key=GONE)])
        archive.put_asset_extraction(AssetExtraction("referenced", frozenset(AssetKind)))
        all_looked_at(archive, archive.ledger(TARGET), {})
        for receipt in receipts(assets):
            archive.ledger(TARGET).put_asset_receipt(receipt)
    return folder


def receipts(assets: Sequence[Asset]) -> list[AssetReceipt]:
    """Equal, with an omission, with findings under another version; what is more was not sent."""
    sent = [
        AssetReceipt(key=one.key, there=one.key, state=AssetState.SENT, planned=digest_of_asset(one), looked=now())
        for one in assets[:4]
    ]
    wrong = Finding(RunId(""), f"{COMPONENT}: description", "differs", "a", "b")
    return [
        replace(sent[0], detail=LINK_LOST),
        replace(sent[1], state=AssetState.ADOPTED),
        replace(sent[2], there=AssetKey(AssetKind.COMPONENT, "train", "0.0.1-a1b2c3"), found=(wrong,)),
        replace(sent[3], state=AssetState.REFUSED, looked=None, detail="the service refuses its URI"),
    ]


def test_assets_have_a_verdict_and_a_lineage(tmp_path: Path, opened: Open) -> None:
    """What differs stands first; reasons are said; runs and assets are links within the page, and to both Studios."""
    written = report(filled(tmp_path / "archive") and _opened(tmp_path), tmp_path / "r.html")
    found = opened(written.path)
    page = found.page

    page.click("text=What runs refer to: 5 assets")
    lines = [line.split("\t") for line in page.locator(".assets-table tbody tr").all_inner_texts()]
    told = {line[0].splitlines()[0]: [" ".join(cell.split()) for cell in line[1:]] for line in lines}

    assert next(iter(told)) == "component train:0.0.1"
    assert told["component train:0.0.1"] == [
        "✕ differs", "made, as 0.0.1-a1b2c3 description differs", "–", "no run", "environment own-env:2"
    ]  # fmt: skip
    assert told["model flow:1"] == ["◐ omissions", f"made {LINK_LOST}", "the training", "no run", ""]
    assert told["environment own-env:2"] == ["✓ equal", "there before, and equal", "–", "the training", ""]
    assert told["data numbers:1 archived"][:2] == ["◐ omissions", "not made the service refuses its URI"]
    assert told["environment gone:7"][1:4] == [
        "not to be had the workspace has none of that name and version", "–", "other score"
    ]  # fmt: skip
    assert "sklearn-1.5/versions/26\tregistry\t1" in page.inner_text(".assets")
    hrefs = page.locator(".assets-table a[target]").evaluate_all("all => all.map(one => one.href)")
    assert any(one.startswith("https://studio.other/environments/own-env/version/2?wsid=") for one in hrefs)
    assert any(one.startswith("https://studio.example/model/flow:1/details?wsid=") for one in hrefs)
    page.click(".assets-table a:has-text('other')")
    page.wait_for_selector("#detail h2:has-text('other')")
    assert found.said == []


def _opened(folder: Path) -> Archive:
    return Archive.open(folder / "archive", write=False)


def test_a_runs_references_lead_to_what_they_became(tmp_path: Path, opened: Open) -> None:
    """Each once, with the places that name it; a click leads to the asset, and what is elsewhere says where."""
    written = report(filled(tmp_path / "archive") and _opened(tmp_path), tmp_path / "r.html")
    found = opened(written.path)
    page = found.page

    page.click(".rows [role=row]:has-text('the training')")
    page.wait_for_selector("#detail h2:has-text('the training')")
    rows = page.locator("#detail .references tbody tr").all_inner_texts()
    lines = {line[0]: line[1:] for line in ([" ".join(cell.split()) for cell in row.split("\t")] for row in rows)}
    both, refused = "source in Studio ↗ target in Studio ↗", "not made; the service refuses its URI"
    registry = "azureml://registries/azureml/environments/sklearn-1.5/versions/26"
    assert lines == {
        "data numbers:1 inputs.d, inputs.d.uri source in Studio ↗": [f"◐ omissions {refused}"],
        f"environment own-env:2 environmentId {both}": ["✓ equal there before, and equal"],
        f"{registry} registry": ["of a registry: the reference stays"],
        f"model flow:1 made by the run {both}": [f"◐ omissions made; {LINK_LOST}"],
    }
    page.click("#detail .references button:has-text('environment own-env:2')")
    assert page.evaluate("document.activeElement.dataset.asset") == "environment own-env:2"
    assert page.locator(".assets").get_attribute("open") is not None
    assert found.said == []


def test_many_and_hostile_ones_are_searched(tmp_path: Path, opened: Open) -> None:
    """Names are only texts; a search finds rows by what stands in them; nothing is wider than a phone."""
    written = report(filled(tmp_path / "archive", extra=30) and _opened(tmp_path), tmp_path / "r.html")
    found = opened(written.path, viewport={"width": 390, "height": 800})
    page = found.page

    page.click("summary:has-text('What runs refer to: 35 assets')")
    page.fill("[aria-label^='Search assets']", "own-env")
    shown = page.locator(".assets-table tbody tr:visible")

    assert shown.count() == 2, "the environment, and the component that names it"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.title() == "Migration report"
    assert found.said == []


def test_without_a_target_it_says_what_is_known(tmp_path: Path, opened: Open) -> None:
    """An archive that was extracted only; and one without assets has no such section."""
    with Archive.create(tmp_path / "only", SOURCE) as archive:
        put(archive, [a_run("r")])
        bare = report(archive, tmp_path / "bare.html")
        archive.put_assets([Asset(key=NUMBERS, content={})])
        known = report(archive, tmp_path / "known.html")

    assert opened(bare.path).page.locator(".assets").count() == 0
    page = opened(known.path).page
    assert page.locator(".assets summary").inner_text() == "What runs refer to: 1 asset, 1 archived"


@pytest.mark.skipif(not AXE.exists(), reason="axe is not here: `make types` brings it")
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark"), (390, "dark"), (1280, "light")])
def test_axe_finds_nothing_in_assets(tmp_path: Path, opened: Open, width: int, scheme: str) -> None:
    written = report(filled(tmp_path / "archive", extra=14) and _opened(tmp_path), tmp_path / "r.html")
    page = opened(written.path, viewport={"width": width, "height": 900}, color_scheme=scheme).page
    page.click("summary:has-text('What runs refer to')")
    page.click(".rows [role=row]:has-text('the training')")
    page.wait_for_selector("#detail h2:has-text('the training')")
    page.evaluate(AXE.read_text("utf-8"))

    found = page.evaluate("axe.run()")["violations"]

    assert [(one["id"], one["nodes"][0]["target"]) for one in found] == []
