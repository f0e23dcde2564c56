"""Wire -> model for datastores and blobs: ARM documents, the storage REST API's headers and XML (pure)."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from azureml_replay.azure.wire.known import KNOWN_BLOB, KNOWN_BLOB_PROPERTIES
from azureml_replay.errors import Rejected
from azureml_replay.model import Location, StoredFile
from azureml_replay.workspace.examined import StoreSeen
from azureml_replay.workspace.put_files import SecretUrl
from azureml_replay.workspace.reader import Document, readable

NO_KEYS = "KeyBasedAuthenticationNotPermitted"
"""Storage's error code where shared keys are disabled, also for a SAS that a key signed (documented)."""

OTHER_TYPE = "InvalidBlobType"
"""Storage's error code where the blob that is there is of another type than what is to be written (documented)."""

TAKEN = frozenset(
    {"BlobAlreadyExists", "ConditionNotMet", "TargetConditionNotMet", "UnauthorizedBlobOverwrite", OTHER_TYPE}
)
"""Storage's error codes where something lies at which nothing was to lie; one is of a SAS that only creates."""


@dataclass(frozen=True, slots=True)
class Datastore:
    """A blob container that a workspace knows under a name."""

    name: str
    account: str
    container: str
    account_url: str
    """`https://account.blob.core.windows.net`, no slash at the end."""

    @property
    def url(self) -> str:
        """The URL of the container."""
        return f"{self.account_url}/{self.container}"


@dataclass(frozen=True, slots=True)
class Secret:
    """What `listSecrets` gives: an account key, a SAS, or neither (a datastore that is read with one's own login)."""

    key: str | None = None
    sas: str | None = None

    def __repr__(self) -> str:
        return "Secret(***)"


@dataclass(frozen=True, slots=True)
class BlobPage:
    """Some blobs of a container, in name order; an empty marker on the last page."""

    files: Sequence[StoredFile]
    marker: str


@readable
def datastore(document: Document, suffix: str) -> Datastore:
    """A Blob or Data Lake Gen2 store, both read by the blob endpoint; `suffix` where the store names no endpoint.

    Raises Rejected for file shares and others.
    """
    properties = document["properties"]
    container = properties.get("containerName") or properties.get("filesystem")
    if not container:
        raise Rejected(f"datastore {document['name']} is {properties.get('datastoreType')}: it holds no blobs")
    account, endpoint = properties["accountName"], properties.get("endpoint") or suffix
    url = f"{properties.get('protocol') or 'https'}://{account}.blob.{endpoint}"
    return Datastore(document["name"], account, container, url)


@readable
def store_seen(document: Document) -> StoreSeen:
    """A datastore as ARM lists it, of any kind."""
    properties = document["properties"]
    return StoreSeen(
        name=document["name"],
        kind=properties.get("datastoreType") or "",
        credential=(properties.get("credentials") or {}).get("credentialsType") or "None",
        holds_blobs=bool(properties.get("containerName") or properties.get("filesystem")),
        account=properties.get("accountName") or "",
    )


@readable
def secret(document: Document) -> Secret:
    """An answer of `listSecrets`; recorded with an account key, the SAS form is in the swagger."""
    return Secret(key=document.get("key"), sas=(document.get("sasToken") or "").lstrip("?") or None)


@readable
def blobs(body: bytes, datastore_name: str) -> BlobPage:
    """An answer of List Blobs with metadata; folders of a hierarchical account are no files and left out."""
    root = ET.fromstring(body)  # noqa: S314 see the import
    found = [_blob(item, datastore_name) for item in root.iterfind("Blobs/Blob") if not _is_folder(item)]
    return BlobPage(found, root.findtext("NextMarker") or "")


def _is_folder(item: ET.Element) -> bool:
    metadata = item.find("Metadata")
    marked = metadata is not None and (metadata.findtext("hdi_isfolder") or "").lower() == "true"
    return marked or item.findtext("Properties/ResourceType") == "directory"


def _blob(item: ET.Element, datastore_name: str) -> StoredFile:
    name = item.find("Name")
    if name is None or name.text is None:
        raise ValueError("a blob without a name")
    # A name with a character that XML cannot hold arrives percent-encoded and marked so.
    path = unquote(name.text) if name.get("Encoded") == "true" else name.text
    metadata = item.find("Metadata")
    return StoredFile(
        location=Location(datastore_name, path),
        size_bytes=int(item.findtext("Properties/Content-Length") or 0),
        md5=_md5(item.findtext("Properties/Content-MD5")),
        etag=_etag(item.findtext("Properties/Etag")),
        content_type=item.findtext("Properties/Content-Type") or None,
        metadata={child.tag: child.text or "" for child in metadata} if metadata is not None else {},
        unknown=tuple(sorted(_unknown_names(item))),
        blob_type=_odd_type(item.findtext("Properties/BlobType")),
    )


def _unknown_names(item: ET.Element) -> set[str]:
    told = {child.tag for child in item} - KNOWN_BLOB
    return told | {child.tag for child in item.iterfind("Properties/*")} - KNOWN_BLOB_PROPERTIES


@readable
def blob_headers(location: Location, headers: Mapping[str, str]) -> StoredFile:
    """An answer of Get Blob Properties."""
    metadata = {
        key[len("x-ms-meta-") :]: value for key, value in headers.items() if key.lower().startswith("x-ms-meta-")
    }
    return StoredFile(
        location=location,
        size_bytes=int(headers["Content-Length"]),
        md5=_md5(headers.get("Content-MD5")),
        etag=_etag(headers.get("ETag")),
        content_type=headers.get("Content-Type"),
        metadata=metadata,
        blob_type=_odd_type(headers.get("x-ms-blob-type")),
    )


@readable
def uncommitted(body: bytes) -> frozenset[str]:
    """An answer of Get Block List: the names of blocks that no block list has taken in."""
    root = ET.fromstring(body)  # noqa: S314 see the import
    return frozenset(name.text or "" for name in root.iterfind("UncommittedBlocks/Block/Name"))


@readable
def code_uri(document: Document) -> str:
    """A code version's URI: `https://account.blob…/container/folder`, or `azureml://…/datastores/name/paths/folder`."""
    uri: str = document["properties"]["codeUri"]
    return uri


def datastore_path(uri: str) -> Location | None:
    """The place that an `azureml:` URI names; None for other URIs."""
    found = re.search(r"/datastores/([^/]+)/paths/(.*)", uri) if uri.startswith("azureml:") else None
    return Location(found[1], found[2]) if found else None


@readable
def snapshot_files(document: Document, above: str = "") -> list[tuple[str, SecretUrl]]:
    """The files of a snapshot's tree: path and signed URL of each."""
    found = []
    for name, child in (document.get("children") or {}).items():
        path = f"{above}{name}"
        if child.get("type") == "Directory":
            found += snapshot_files(child, f"{path}/")
        else:
            found.append((path, SecretUrl(child["sasUrl"])))
    return found


@readable
def delegation_key(body: bytes) -> Mapping[str, str]:
    """The fields of an answer of Get User Delegation Key, by name."""
    return {child.tag: child.text or "" for child in ET.fromstring(body)}  # noqa: S314 see the import


def signed(url: str, sas: str) -> SecretUrl:
    """A URL with its signature."""
    return SecretUrl(f"{url}?{sas}")


def _odd_type(text: str | None) -> str | None:
    return None if text == "BlockBlob" else text or None


def _md5(text: str | None) -> bytes | None:
    return base64.b64decode(text) if text else None


def etag_of(headers: Mapping[str, str]) -> str | None:
    """That of a blob, as the answer to a write has it."""
    return _etag(headers.get("ETag"))


def _etag(text: str | None) -> str | None:
    """An ETag without quotes: headers have them, listings do not."""
    return text.strip('"') if text else None
