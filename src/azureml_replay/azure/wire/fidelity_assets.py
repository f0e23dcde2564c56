"""What becomes of every value of an asset, key by key (pure). Keys are those of mfe 2024-04-01 and of recordings."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from azureml_replay.azure.wire.fates import Fidelity, Key
from azureml_replay.workspace.asset import AssetKind

_ASSET = (
    Key("description", Fidelity.CARRIED, "the same"),
    Key("tags", Fidelity.CARRIED, "the same"),
    Key("properties", Fidelity.CARRIED, "the same, and the lineage beside them"),
    Key("isArchived", Fidelity.CARRIED, "the same, once all versions are there; of code: the service's"),
    Key("isAnonymous", Fidelity.CARRIED, "the same; of data the service answers false"),
    Key("provisioningState", Fidelity.SERVER, "of the answer"),
)
_LATER = Key("autoDeleteSetting", Fidelity.LISTED, "not sent: it would delete in the target")
_GUARDED = Key("intellectualProperty", Fidelity.LISTED, "of publishers alone")
ASSETS: Mapping[str, tuple[Key, ...]] = {
    "CodeVersion": (*_ASSET, Key("codeUri", Fidelity.CARRIED, "a folder of the target, with the same files")),
    "EnvironmentVersion": (
        *_ASSET,
        Key("image", Fidelity.CARRIED, "the same text"),
        Key("condaFile", Fidelity.CARRIED, "by meaning: the service answers JSON for YAML"),
        Key("build", Fidelity.CARRIED, "`contextUri` at the same path of the target, with the same files"),
        Key("osType", Fidelity.CARRIED, "the same"),
        Key("inferenceConfig", Fidelity.CARRIED, "the same"),
        Key("autoRebuild", Fidelity.CARRIED, "the same"),
        Key("stage", Fidelity.CARRIED, "the same"),
        Key("environmentType", Fidelity.SERVER, "`Curated` ones are the service's: not sent"),
        _LATER,
        _GUARDED,
    ),
    "ComponentVersion": (
        *_ASSET,
        Key("componentSpec", Fidelity.CARRIED, "compared as texts; references are those of the target"),
        Key("stage", Fidelity.CARRIED, "the same"),
        _LATER,
        _GUARDED,
    ),
    "DataVersionBase": (
        *_ASSET,
        Key("dataType", Fidelity.CARRIED, "the same"),
        Key("dataUri", Fidelity.CARRIED, "the same datastore and path of the target; the bytes stay where they are"),
        Key("referencedUris", Fidelity.CARRIED, "the same"),
        Key("stage", Fidelity.CARRIED, "the same"),
        _LATER,
        _GUARDED,
    ),
    "ModelVersion": (
        *_ASSET,
        Key("modelType", Fidelity.CARRIED, "the same"),
        Key("modelUri", Fidelity.CARRIED, "the same datastore and path of the target; a service may copy: as answered"),
        Key("flavors", Fidelity.CARRIED, "the same"),
        Key(
            "jobName",
            Fidelity.CARRIED,
            "the run that stands for it; a target that drops it: by the registry's route, or omission",
        ),
        Key("stage", Fidelity.CARRIED, "the same, by one request with `isArchived`"),
        Key("datasets", Fidelity.LISTED, "of the older SDK"),
        _LATER,
        _GUARDED,
    ),
    "AssetContainer": (
        *_ASSET,
        Key("latestVersion", Fidelity.SERVER, "by the order of creation"),
        Key("nextVersion", Fidelity.SERVER, "by the versions that are there"),
        Key("dataType", Fidelity.CARRIED, "with the versions"),
    ),
}
"""By the types of the interface file."""
_STORE = (
    *("description", "tags", "properties", "isDefault", "datastoreType", "subscriptionId", "resourceGroup"),
    *("accountName", "containerName", "fileShareName", "storeName", "filesystem", "artifact", "oneLakeWorkspaceName"),
    *("endpoint", "protocol", "serviceDataAccessAuthIdentity"),
)
_DATASET = (
    *("datasetId", "datasetState", "latest", "nextVersionId", "createdTime", "modifiedTime", "etag", "name"),
    *("description", "tags", "isVisible", "defaultCompute", "datasetType"),
)
_DEFINITION = (
    *("datasetId", "versionId", "datasetDefinitionState", "dataflow", "dataflowType", "dataPath"),
    *("partitionFormatInPath", "profileActionResult", "notes", "etag", "createdTime", "modifiedTime"),
    *("dataExpiryTime", "createdBy", "modifiedBy", "fileType", "properties", "savedDatasetId", "telemetryInfo"),
    *("useDescriptionTagsFromDefinition", "description", "tags"),
)
KEPT: Mapping[str, tuple[Key, ...]] = {
    "Datastore": (
        *(Key(key, Fidelity.LISTED, "a document of the archive: no datastore is made") for key in _STORE),
        Key("credentials", Fidelity.REDACTED, "of them `credentialsType` alone is kept"),
    ),
    "Dataset": tuple(Key(key, Fidelity.LISTED, "a document of the archive: no dataset is made") for key in _DATASET),
    "DatasetDefinition": tuple(Key(key, Fidelity.LISTED, "as of the dataset") for key in _DEFINITION),
}
"""What is kept as a document alone. `Datastore`: the keys of all its types."""
_KEPT_TYPES = {AssetKind.DATASTORE: ("Datastore",), AssetKind.DATASET: ("Dataset", "DatasetDefinition")}
_TYPES = {
    AssetKind.CODE: "CodeVersion",
    AssetKind.ENVIRONMENT: "EnvironmentVersion",
    AssetKind.COMPONENT: "ComponentVersion",
    AssetKind.DATA: "DataVersionBase",
    AssetKind.MODEL: "ModelVersion",
    None: "AssetContainer",
}


@cache
def known_of(kind: AssetKind | None) -> frozenset[str]:
    """The keys of a version's properties; for None those of a container's."""
    if kind in _KEPT_TYPES:
        return frozenset(row.key for name in _KEPT_TYPES[kind] for row in KEPT[name])
    return frozenset(row.key for row in ASSETS[_TYPES[kind]])


@cache
def sent_of(kind: AssetKind) -> frozenset[str]:
    """The keys of a version's properties that a client writes."""
    return frozenset(row.key for row in ASSETS[_TYPES[kind]] if row.fate is Fidelity.CARRIED)
