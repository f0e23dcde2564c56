"""The keys of the wire that decoding knows: keys that a service adds later are noticed, and listed in the report."""

from __future__ import annotations

from azureml_replay.azure.wire.fates import Fidelity
from azureml_replay.azure.wire.fidelity import JOB_TYPES, TABLE, keys

ACTING = tuple(sorted(keys("Run", Fidelity.NEVER_SENT)))
"""Keys of a run that act on its workspace."""
ACTING_PROPERTIES = ("CancelUri",)
"""A property of AutoML's runs: its address would cancel the source's run."""
KNOWN_RUN = keys("Run")
KNOWN_EXPERIMENT = keys("Experiment")
KNOWN_ARTIFACT = keys("Artifact")
KNOWN_RUNDATA = keys("GetRunDataResult")
KNOWN_METRIC = keys("MetricV2")
KNOWN_METRIC_ROW = keys("MetricV2Value")
KNOWN_DEFINITION = keys("MetricDefinition")
KNOWN_METRIC_KEY = keys("DerivedMetricKey")
KNOWN_METRIC_PROPERTIES = keys("MetricProperties")
KNOWN_JOB = keys("JobBaseResource")
KNOWN_JOB_PROPERTIES = frozenset[str]().union(*(keys(name) for name in TABLE if name == "JobBase" or name in JOB_TYPES))
KNOWN_BLOB = frozenset(
    {"Name", "Properties", "Metadata", "OrMetadata", "Snapshot", "VersionId", "IsCurrentVersion", "Deleted", "Tags"}
    | {"HasVersionsOnly"}
)
KNOWN_BLOB_PROPERTIES = frozenset(
    {"Creation-Time", "Last-Modified", "Etag", "Content-Length", "Content-Type", "Content-Encoding", "Content-Language"}
    | {"Content-CRC64", "Content-MD5", "Cache-Control", "Content-Disposition", "BlobType", "LeaseStatus", "LeaseState"}
    | {"LeaseDuration", "ServerEncrypted", "AccessTier", "AccessTierInferred", "AccessTierChangeTime", "ResourceType"}
    | {"EncryptionScope", "CustomerProvidedKeySha256", "TagCount", "x-ms-blob-sequence-number", "Placeholder"}
    | {"Owner", "Group", "Permissions", "Acl", "Sealed", "LegalHold", "ImmutabilityPolicyUntilDate"}
    | {"ImmutabilityPolicyMode", "ArchiveStatus", "RehydratePriority", "LastAccessTime", "DeletedTime"}
    | {"RemainingRetentionDays", "IncrementalCopy", "CopyId", "CopyStatus", "CopySource", "CopyProgress"}
    | {"CopyCompletionTime", "CopyStatusDescription", "CopyDestinationSnapshot"}
)
"""Names in a listing of blobs, recorded or documented for List Blobs. Most say how a blob is kept, not what it is."""
