"""The forms of what a run names: its datasets, and the assets that its inputs and outputs are.

From run-history.json: `DatasetLineage`, `OutputDatasetLineage`, `TypedAssetReference`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from azureml_sandbox.protocol import errors

_TEXT = None
"""A text or null."""
_IDENTIFIER = dict.fromkeys(("savedId", "registeredId", "registeredVersion"), _TEXT)
_FORMS: Mapping[str, Mapping[str, Any]] = {
    "inputDatasets": {
        "identifier": _IDENTIFIER,
        "consumptionType": ("RunInput", "Reference"),
        "inputDetails": {
            "inputName": _TEXT,
            "mechanism": ("Direct", "Mount", "Download", "Hdfs"),
            "pathOnCompute": _TEXT,
        },
    },
    "outputDatasets": {
        "identifier": _IDENTIFIER,
        "outputType": ("RunOutput", "Reference"),
        "outputDetails": {"outputName": _TEXT},
    },
}
KEYS = tuple(_FORMS)
REFERENCES = ("inputs", "outputs")
_REFERENCE: Mapping[str, Any] = {"assetId": _TEXT, "type": _TEXT}


def check(key: str, datasets: list[Any]) -> None:
    """Raise Refused (400) for a dataset in another form: it has no other keys (`additionalProperties: false`)."""
    for dataset in datasets:
        _check(key, dataset, _FORMS[key])


def check_references(key: str, references: Mapping[str, Any]) -> None:
    """Raise Refused (400) for an input or output of another form. Assumption: nobody asks whether its asset exists."""
    for name, reference in references.items():
        _check(f"{key}/{name}", reference, _REFERENCE)


def _check(key: str, value: object, form: Any) -> None:  # noqa: ANN401 a table's cell
    if isinstance(form, Mapping):
        unknown = set(value) - set(form) if isinstance(value, dict) else {"no object"}
        if unknown:
            raise errors.invalid(f"{key} has an unknown form: {', '.join(sorted(unknown))}.")
        for name, one in value.items() if isinstance(value, dict) else ():
            _check(f"{key}/{name}", one, form[name])
    elif not (value is None or isinstance(value, str)) or (form is not _TEXT and value not in form):
        raise errors.invalid(f"{key} has the wrong type.")


def saved_ids(change: Mapping[str, Any]) -> Iterator[str]:
    """The ids by which the datasets of a change are known to the workspace that saved them."""
    for key in KEYS:
        for dataset in change.get(key) or ():
            identifier = dataset.get("identifier") if isinstance(dataset, dict) else None
            if isinstance(identifier, dict) and identifier.get("savedId"):
                yield identifier["savedId"]
