"""What a run says of assets in a target, by what became of them there."""

from __future__ import annotations

import pytest

from azureml_replay.azure.wire.naming import named_in
from azureml_replay.model import AssetReference, Run, RunId
from azureml_replay.planning.references import (
    AssetFate,
    Became,
    is_settled,
    references_document,
    with_references,
)
from azureml_replay.workspace.asset import AssetKey, AssetKind, AssetUse, OutsideKind

KEY = AssetKey(AssetKind.DATA, "numbers", "1")
LIKE = "azureml://locations/there/workspaces/own/data/a/versions/1"
TEXT = "azureml://locations/here/workspaces/guid/data/numbers/versions/1"


def became(fate: AssetFate | None, text: str | None = "azureml://there", where: str = "inputs.a.b.uri") -> Became:
    return Became(use=AssetUse(where, TEXT, KEY), fate=fate, there=KEY, text=text)


@pytest.mark.parametrize("fate", [*AssetFate, None])
@pytest.mark.parametrize("text", ["azureml://there", None])
def test_only_what_is_there_is_named(fate: AssetFate | None, text: str | None) -> None:
    """A name with a dot among its letters, and an output of the same name that is none of them."""
    held = {"a.b": AssetReference(TEXT, "UriFile")}
    run = Run(id=RunId("r"), inputs=held, outputs=held)

    told = with_references(run, [became(fate, text)])

    named = text if fate in (AssetFate.THERE, AssetFate.ADOPT) and text else TEXT
    assert told.inputs == {"a.b": AssetReference(named, "UriFile")}
    assert told.outputs == held


def test_a_document_waits_for_what_is_on_its_way() -> None:
    assert not is_settled([])
    assert not is_settled([became(None)])
    assert not is_settled([became(AssetFate.THERE), became(AssetFate.CREATE)])
    assert is_settled([became(AssetFate.THERE), became(None)])


def test_each_reference_is_told_in_the_words_of_the_source() -> None:
    outside = Became(use=AssetUse("properties.environmentId", "azureml:AzureML-x:1", outside=OutsideKind.CURATED))
    lost = Became(use=AssetUse("a", TEXT, KEY), fate=AssetFate.OMITTED, why="a secret")

    told = references_document([outside, became(AssetFate.THERE), lost, became(None, None, "b")])

    assert told == {
        "references": [
            {"where": "a", "source": TEXT, "asset": "data numbers:1", "became": "omitted", "why": "a secret"},
            {"where": "b", "source": TEXT, "asset": "data numbers:1", "became": "not carried", "there": str(KEY)},
            {
                "where": "inputs.a.b.uri",
                "source": TEXT,
                "asset": "data numbers:1",
                "became": "there",
                "there": str(KEY),
                "target": "azureml://there",
            },
            {
                "where": "properties.environmentId",
                "source": "azureml:AzureML-x:1",
                "became": "stays",
                "why": "curated",
            },
        ]
    }


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (TEXT, "azureml://locations/there/workspaces/own/data/other/versions/2"),
        (TEXT.replace("/data/", "/models/"), "azureml://locations/there/workspaces/own/models/other/versions/2"),
        ("azureml:numbers:1", None),
        ("azureml://registries/r/data/numbers/versions/1", None),
    ],
)
def test_a_name_keeps_its_form(text: str, named: str | None) -> None:
    """Only the form that runs have; region, workspace, name and version are the target's."""
    assert named_in(text, AssetKey(AssetKind.DATA, "other", "2"), LIKE) == named
