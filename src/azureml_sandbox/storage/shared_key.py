"""Azure Storage's Shared Key: the signature of one request (learn.microsoft.com, "Authorize with Shared Key")."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import defaultdict
from collections.abc import Mapping
from urllib.parse import parse_qsl

_SIGNED = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


def authorization(account: str, key: str, *, method: str, path: str, query: str, headers: Mapping[str, str]) -> str:
    """The `Authorization` header of this request; path and query are as sent, percent-encoding included."""
    headers = {name.lower(): value for name, value in headers.items()}
    values = [headers.get(name, "") for name in _SIGNED]
    values[2] = "" if values[2] == "0" else values[2]
    own = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers) if name.startswith("x-ms-"))
    text = "\n".join([method, *values, own]) + f"/{account}{path}" + _parameters(query)
    signature = base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest())
    return f"SharedKey {account}:{signature.decode()}"


def _parameters(query: str) -> str:
    values: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in parse_qsl(query, keep_blank_values=True):
        values[name.lower()].append(value)
    return "".join(f"\n{name}:{','.join(sorted(values[name]))}" for name in sorted(values))
