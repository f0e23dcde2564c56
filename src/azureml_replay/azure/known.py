"""The keys of the wire that decoding knows: what a service adds later is noticed, and listed in the report.

From the swagger's Run, Experiment and Artifact, and from recordings: the second group of each.
"""

from __future__ import annotations

KNOWN_RUN = frozenset(
    [
        "activeChildRunId",
        "actionUris",
        "cancelUri",
        "cancelationReason",
        "completeUri",
        "compute",
        "computeDuration",
        "computeRequest",
        "createdBy",
        "createdFrom",
        "createdUtc",
        "currentComputeTime",
        "dataContainerId",
        "description",
        "diagnosticsUri",
        "displayName",
        "duration",
        "effectiveStartTimeUtc",
        "endTimeUtc",
        "error",
        "experimentId",
        "hasVirtualParent",
        "hidden",
        "inputDatasets",
        "inputs",
        "isVirtual",
        "jobSpecification",
        "lastModifiedBy",
        "lastModifiedUtc",
        "lastStartTimeUtc",
        "name",
        "options",
        "outputDatasets",
        "outputs",
        "parameters",
        "parentRunId",
        "parentRunUuid",
        "primaryMetricName",
        "properties",
        "queueingInfo",
        "retainForLifetimeOfWorkspace",
        "revision",
        "rootRunId",
        "rootRunUuid",
        "runDefinition",
        "runId",
        "runNumber",
        "runType",
        "runTypeV2",
        "runUuid",
        "scriptName",
        "services",
        "settings",
        "startTimeUtc",
        "status",
        "statusRevision",
        "tags",
        "target",
        "token",
        "tokenExpiryTimeUtc",
        "uniqueChildRunComputeTargets",
        "userId",
        "warnings",
        "currentAttemptId",
        "scheduleId",
    ]
)

KNOWN_EXPERIMENT = frozenset(
    [
        "archivedTime",
        "artifactLocation",
        "createdUtc",
        "description",
        "experimentId",
        "name",
        "retainForLifetimeOfWorkspace",
        "tags",
    ]
)

KNOWN_ARTIFACT = frozenset(["artifactId", "container", "createdTime", "dataPath", "etag", "origin", "path", "tags"])
