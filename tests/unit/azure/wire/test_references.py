"""References are read by a strict grammar, written back as they were, and seen from one workspace alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.azure.wire.naming import Scope, moved, place_of_uri, uses, with_place
from azureml_replay.azure.wire.references import Spelling, parse, render
from azureml_replay.model import Location
from azureml_replay.workspace.asset import UNVERSIONED, AssetKey, AssetKind, OutsideKind

HERE = Scope(
    subscription="s1",
    group="g1",
    workspace="w1",
    guid="guid-1",
    region="eastus",
    accounts={"acc.blob.core.windows.net": ("workspaceblobstore", "own")},
)
THERE = Scope(subscription="s2", group="g2", workspace="w2", guid="guid-2", region="westus")
ARM = "/subscriptions/S1/resourcegroups/g1/providers/Microsoft.MachineLearningServices/workspaces/w1"
FORMS = {
    f"{ARM}/codes/c/versions/1": Spelling.ARM,
    f"azureml:{ARM}/environments/Own-Env/versions/0.0.1": Spelling.ARM,
    "azureml://registries/azureml/environments/A/versions/33": Spelling.REGISTRY_VERSION,
    "azureml://registries/azureml/environments/A/labels/latest": Spelling.REGISTRY_LABEL,
    "azureml://registries/azureml/components/a": Spelling.REGISTRY,
    "azureml://subscriptions/s1/resourceGroups/g1/workspaces/w1/datastores/d/paths/p/q": Spelling.LONG,
    "azureml://workspaces/guid-1/datastores/d/paths/p": Spelling.LISTED,
    "azureml://datastores/d/paths/p": Spelling.STORE,
    "azureml://datastores/workspaceartifactstore/ExperimentRun/dcid.r": Spelling.STORE_BARE,
    "azureml://locations/eastus/workspaces/guid-1/data/a/versions/1": Spelling.LOCATED,
    "azureml://jobs/r/outputs/artifacts/paths/m/": Spelling.JOB,
    "azureml://experiments/e/runs/r/artifacts/model": Spelling.EXPERIMENT,
    "runs:/r/model": Spelling.RUNS,
    "azureml://artifacts/LocalUpload/c/p": Spelling.ARTIFACTS,
    "azureml://westus.api.azureml.ms/mlflow/v1.0": Spelling.NEVER,
    "azureml:a:1": Spelling.VERSION,
    "azureml:a@latest": Spelling.LABEL,
    "azureml:cpu-cluster": Spelling.NAME,
    "https://acc.blob.core.windows.net:443/own/p": Spelling.WEB,
}
WORD = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,12}", fullmatch=True)


@pytest.mark.parametrize("text", FORMS)
def test_each_form_is_told_apart(text: str) -> None:
    """Recorded spellings; what stands around a reference makes it none."""
    found = parse(text)

    assert found is not None
    assert (found.form, render(found)) == (FORMS[text], text)
    assert parse(f"echo {text}") is None


@given(
    st.one_of(
        st.text(), st.builds("azureml:{}:{}".format, WORD, WORD), st.builds("azureml://{}/{}".format, WORD, st.text())
    )
)
def test_what_is_read_is_written_back(text: str) -> None:
    """Of any text at all."""
    found = parse(text)

    assert found is None or render(found) == text


@given(WORD, WORD, st.sampled_from(["codes", "Environments", "data"]))
def test_a_reference_moves_with_its_asset(name: str, version: str, segment: str) -> None:
    """The scope and the name change; keywords stay as they were spelt."""
    text = f"{ARM}/{segment}/a/versions/1"

    there = moved(text, AssetKey(AssetKind.DATA, name, version), THERE)

    scope = ARM.replace("S1", "s2").replace("/g1/", "/g2/").replace("/w1", "/w2")
    assert there == f"{scope}/{segment}/{name}/versions/{version}"


def test_the_key_tells_what_a_short_name_means() -> None:
    """A compute and an environment are spelt alike; a third workspace, a registry and a label are told apart."""
    document = {
        "environmentId": f"{ARM}/environments/own/versions/2",
        "computeId": "azureml:cpu",
        "trial": {
            "codeId": f"{ARM}/codes/c/versions/1",
            "command": "python azureml:a:1",
            "environmentId": "azureml:e@x",
        },
        "jobs": {"a": {"componentId": "azureml:comp:3", "environment": "azureml:AzureML-sklearn:33"}},
        "inputs": {
            "d": {"jobInputType": "uri_file", "uri": "azureml:d:1"},
            "m": {"jobInputType": "mlflow_model", "uri": "azureml:m:4"},
            "o": {"uri": f"{ARM.replace('w1', 'other')}/data/x/versions/1"},
            "r": {"uri": "azureml://registries/r/data/x/versions/1"},
            "p": {"uri": "azureml://datastores/d/paths/x"},
            "s": {"uri": "azureml://datastores/workspaceblobstore/paths/x"},
        },
    }
    found = {use.where: use.key or use.outside for use in uses(document, HERE)}

    assert found == {
        "environmentId": AssetKey(AssetKind.ENVIRONMENT, "own", "2"),
        "trial.codeId": AssetKey(AssetKind.CODE, "c", "1"),
        "trial.environmentId": OutsideKind.RELATIVE,
        "jobs.a.componentId": AssetKey(AssetKind.COMPONENT, "comp", "3"),
        "jobs.a.environment": OutsideKind.CURATED,
        "inputs.d.uri": AssetKey(AssetKind.DATA, "d", "1"),
        "inputs.m.uri": AssetKey(AssetKind.MODEL, "m", "4"),
        "inputs.o.uri": OutsideKind.WORKSPACE,
        "inputs.r.uri": OutsideKind.REGISTRY,
        "inputs.p.uri": AssetKey(AssetKind.DATASTORE, "d", UNVERSIONED),
    }


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("azureml://subscriptions/S1/resourcegroups/G1/workspaces/w1/datastores/d/paths/p", Location("d", "p")),
        ("azureml://workspaces/GUID-1/datastores/d/paths/p", Location("d", "p")),
        ("azureml://workspaces/guid-2/datastores/d/paths/p", None),
        ("azureml://subscriptions/s2/resourcegroups/g1/workspaces/w1/datastores/d/paths/p", None),
        ("https://acc.blob.core.windows.net:443/own/a%20b", Location("workspaceblobstore", "a b")),
        ("https://acc.blob.core.windows.net/other/a", Location("workspaceblobstore/other", "a")),
        ("https://acc.blob.core.windows.net/own/a?sig=x", None),
        ("https://elsewhere/own/a", None),
    ],
)
def test_only_the_workspaces_own_places_are_places(text: str, place: Location | None) -> None:
    """Another workspace's, a public URL, and a signed one lead elsewhere."""
    assert place_of_uri(text, HERE) == place


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("azureml://datastores/d/paths/p", "azureml://datastores/e/paths/p"),
        ("azureml://datastores/f/paths/d", "azureml://datastores/f/paths/d"),
        (
            "azureml://subscriptions/s1/resourcegroups/g1/workspaces/W1/datastores/d/paths/p",
            "azureml://subscriptions/s2/resourcegroups/g2/workspaces/w2/datastores/e/paths/p",
        ),
        ("azureml://workspaces/guid-1/datastores/d/paths/p", "azureml://workspaces/guid-2/datastores/e/paths/p"),
        ("azureml://workspaces/third/datastores/d/paths/p", "azureml://workspaces/third/datastores/d/paths/p"),
        ("https://acc.blob.core.windows.net/own/p", "https://acc.blob.core.windows.net/own/p"),
        ("cat azureml://datastores/d/paths/p", "cat azureml://datastores/d/paths/p"),
    ],
)
def test_a_place_moves_with_its_datastore(text: str, there: str) -> None:
    """A place of the workspace's own, as the other one has it; whatever else stays."""
    assert with_place(text, HERE, THERE, {"d": "e"}) == there
