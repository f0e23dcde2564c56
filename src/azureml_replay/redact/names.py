"""Says which names are names of secrets: `password`, `accountKey`, `HF_TOKEN`, `sig` (pure)."""

from __future__ import annotations

import re
from functools import lru_cache

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LAST_WORD = frozenset({"password", "passwd", "pwd", "passphrase", "secret", "authorization"})
_ENDINGS = (
    *("accountkey", "accesskey", "apikey", "privatekey", "storagekey", "sharedkey", "secretkey", "signingkey"),
    *("encryptionkey", "masterkey", "functionkey", "connectionstring", "clientsecret", "password"),
    *("accesstoken", "authtoken", "refreshtoken", "sastoken"),
)
_SECOND_ENDINGS = ("functionskey", "subscriptionkey", "sharedaccesssignature")
"""Those that came with version 2: headers of Azure Functions and API Management, and what Service Bus is opened by."""
_VOCABULARY = frozenset(
    {"pad", "eos", "bos", "unk", "cls", "sep", "separator", "mask", "blank", "class", "special", "additional", "image"}
    | {"img", "audio", "video", "start", "end", "stop", "first", "last", "next", "prev", "new", "decoder", "forced"}
    | {"max", "min", "num", "n", "per"}
)
"""Beginnings of names whose `token` is a language model's: `pad_token`, `forced_bos_token`."""
_HOLDERS = ("value", "values", "default", "literal", "enum", "choices", "const")
"""Ends of keys below a name that hold what is named: of a literal input, of a component's, of a search space."""
_NAMERS = frozenset({"name", "key", "parametername", "paramname", "inputname", "variablename"})
_ENVIRONMENT = frozenset({"environmentvariables", "envvars", "env"})
ENVIRONMENT_ENDINGS = ("_KEY", "_TOKEN", "_PASSWORD", "_PASSWD", "_PWD", "_SECRET", "_SAS", "CONNECTION_STRING")
"""Endings of environment variables that hold secrets."""


@lru_cache(maxsize=10_000)
def names_secret(name: str, version: int = 2) -> bool:
    """True for `password`, `accountKey`, `HF_TOKEN`, `sig`; false for `key`, `tokenizer`, `azureml.token_count`."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words:
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last == "token":
        return before not in _VOCABULARY
    whole = "".join(words)
    if version > 1 and whole.endswith(_SECOND_ENDINGS):
        return True
    return last in _LAST_WORD or words in (["sig"], ["sas"]) or whole.endswith(_ENDINGS)


@lru_cache(maxsize=10_000)
def holds_variables(name: str) -> bool:
    """True for the name of a mapping of environment variables."""
    return name.replace("_", "").lower() in _ENVIRONMENT


def tells_secret_variable(name: str) -> bool:
    """True for the name of an environment variable that ends as those of secrets do: `DB_KEY`, `STORE_SAS`."""
    return name.upper().endswith(ENVIRONMENT_ENDINGS)


@lru_cache(maxsize=10_000)
def holds_value(key: str) -> bool:
    """True for a key that holds the value of the name above, or beside it: `value`, `defaultValue`, `enum`."""
    return key.lower().endswith(_HOLDERS)


@lru_cache(maxsize=10_000)
def tells_name(key: str) -> bool:
    """True for a key that tells the name of what stands beside it: `name`, `key`, `parameterName`."""
    return key.replace("_", "").lower() in _NAMERS
