"""Secrets leave a document before it is written; nothing else does. Keys are made at run time."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.json_text import TOO_DEEP
from azureml_replay.redact import CUT_OFF, STARS, Rules, arguments, names_secret, redact, text

NUMBERED = [str(number) for number in range(13)]
"""Names of cases made at run time: workers of a parallel run must agree on them."""
SIGNATURE = (
    base64.b64encode(secrets.token_bytes(32)).decode().replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
)
STORAGE_KEY = base64.b64encode(secrets.token_bytes(64)).decode()
WORD = secrets.token_hex(16)


def jwt() -> str:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).decode().rstrip("=")
    return f"{head}.{secrets.token_urlsafe(40)}.{secrets.token_urlsafe(40)}"


SECRET_NAMES = [
    "token", "password", "dbPassword", "DB_PASSWORD", "clientSecret", "secret", "AWS_SECRET_ACCESS_KEY", "accountKey",
    "connectionString", "AZURE_STORAGE_CONNECTION_STRING", "sig", "sasToken", "HF_TOKEN", "api_key", "azureml.apiKey",
    "accesstoken", "Authorization", "azureml.token",
]  # fmt: skip
ORDINARY_NAMES = [
    "key", "author", "tokenizer", "azureml.token_count", "tokenExpiryTimeUtc", "max_tokens", "pad_token", "eos_token",
    "primaryMetricName", "keyVault", "signature", "sigma", "monkey", "credentialsType", "secretsConfiguration", "path",
    "tokens_per_second", "passwordless", "accountName", "sort_key", "AWS_ACCESS_KEY_ID", "secretary", "sas_version",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_text_under_a_secret_name_is_replaced_and_told(name: str) -> None:
    assert ({"properties": {name: STARS}}, [f"properties/{name}"]) == redact({"properties": {name: WORD}})


@pytest.mark.parametrize("name", ORDINARY_NAMES)
def test_ordinary_names_stay(name: str) -> None:
    assert ({"tags": {name: WORD}}, []) == redact({"tags": {name: WORD}})


@pytest.mark.parametrize("value", [None, "", 512, 0.5, True, {}, [], STARS, "${{inputs.token}}", "$(TOKEN)"])
def test_what_holds_no_secret_stays_under_a_secret_name(value: Any) -> None:
    assert ({"token": value}, []) == redact({"token": value})


@pytest.mark.parametrize("value", ["(x)secret", "x$(TOKEN)", "${{inputs.token}}more", "$(a) $(b)c"])
def test_what_only_begins_or_ends_as_a_placeholder_is_a_secret(value: str) -> None:
    assert redact({"token": value}) == ({"token": STARS}, ["token"])


def test_nothing_of_a_token_in_five_parts_stays() -> None:
    token = ".".join((jwt(), secrets.token_urlsafe(20), secrets.token_urlsafe(20)))
    assert text(f"a {token} b") == "a *** b"


@pytest.mark.parametrize("variables", ["environmentVariables", "environment_variables", "EnvironmentVariables"])
@pytest.mark.parametrize(
    "name", ["STORAGE_KEY", "MY_TOKEN", "MY_PASSWORD", "WHAT_SECRET", "MY_CONNECTION_STRING", "X_KEY"]
)
def test_environment_variables_with_secret_like_names(variables: str, name: str) -> None:
    document = {"properties": {variables: {name: WORD, "EPOCHS": "3"}}}

    clean, found = redact(document)

    assert {"properties": {variables: {name: STARS, "EPOCHS": "3"}}} == clean
    assert [f"properties/{variables}/{name}"] == found


def test_pairs_of_name_and_value() -> None:
    pairs = [{"name": "HF_TOKEN", "value": WORD}, {"key": "author", "value": WORD}, {"key": "password", "value": WORD}]

    clean, found = redact({"params": pairs})

    assert [pair["value"] for pair in clean["params"]] == [STARS, WORD, STARS]  # type: ignore[index,call-overload]
    assert found == ["params/0/value", "params/2/value"]


@pytest.mark.parametrize(
    ("held", "clean", "below"),
    [
        ({"value": WORD, "jobInputType": "literal"}, {"value": STARS, "jobInputType": "literal"}, ["value"]),
        ({"job_input_type": "literal", "value": WORD}, {"job_input_type": "literal", "value": STARS}, ["value"]),
        ({"Value": WORD, "Type": "String"}, {"Value": STARS, "Type": "String"}, ["Value"]),
        ({"type": "string", "default": WORD}, {"type": "string", "default": STARS}, ["default"]),
        ({"defaultValue": WORD, "default_value": ""}, {"defaultValue": STARS, "default_value": ""}, ["defaultValue"]),
        (
            {"literalValue": WORD, "valueType": "Literal"},
            {"literalValue": STARS, "valueType": "Literal"},
            ["literalValue"],
        ),
        ({"type": "choice", "values": [WORD, 1]}, {"type": "choice", "values": [STARS, 1]}, ["values/0"]),
        ({"type": "string", "enum": [WORD]}, {"type": "string", "enum": [STARS]}, ["enum/0"]),
        ([{"value": WORD}], [{"value": STARS}], ["0/value"]),
        ({"literal": {"value": WORD}, "x": WORD}, {"literal": {"value": STARS}, "x": WORD}, ["literal/value"]),
    ],
    ids=NUMBERED[:10],
)
@pytest.mark.parametrize("name", ["db_password", "api_key", "HF_TOKEN"])
def test_a_name_tells_what_a_mapping_below_it_holds(name: str, held: Any, clean: Any, below: list[str]) -> None:
    """A literal input of a job or a step, the default of a component's, a sweep's choices; the rest of it stays."""
    expected = {"inputs": {name: clean}}, [f"inputs/{name}/{path}" for path in below]

    assert redact({"inputs": {name: held}}) == expected
    assert redact(expected[0]) == (expected[0], [])
    assert Rules(version=4).document({"inputs": {name: held}}) == ({"inputs": {name: held}}, []), "as archives hold it"


@pytest.mark.parametrize(
    "held",
    [
        {"jobInputType": "uri_file", "uri": "azureml://datastores/d/paths/x", "mode": "ReadOnlyMount"},
        {"type": "uri_folder", "default": "azureml://datastores/d/paths/x"},
        {"value": "${{parent.inputs.db_password}}", "job_input_type": "literal"},
        {"value": 512, "default": False, "enum": [1, 2.5, None]},
        {"type": "integer", "default": "512"},
        {"type": "string", "description": "what it is for", "optional": True},
        {"value": "True", "default": "none"},
        {"name": "read", "type": "command", "inputs": {"lr": {"value": "0.1"}, "tokenizer": {"value": WORD}}},
    ],
    ids=NUMBERED[:8],
)
def test_what_is_no_secret_stays_in_a_mapping_below_its_name(held: Any) -> None:
    assert redact({"inputs": {"db_password": held}}) == ({"inputs": {"db_password": held}}, [])


@pytest.mark.parametrize("name", ["tokenizer", "max_tokens", "password_policy_doc", "pad_token", "key", "data"])
def test_what_stays_as_a_tag_stays_as_an_input(name: str) -> None:
    document = {"tags": {name: WORD}, "inputs": {name: {"value": WORD, "default": WORD}}, "in": [{"name": name}]}

    assert redact(document) == (document, [])


@pytest.mark.parametrize("flag", ["True", "false", "None"])
def test_a_flag_is_no_secret_whatever_its_name(flag: str) -> None:
    assert redact({"parameters": {"use_auth_token": flag}}) == ({"parameters": {"use_auth_token": flag}}, [])
    older = Rules(version=4).document({"parameters": {"use_auth_token": flag}})
    assert older == ({"parameters": {"use_auth_token": STARS}}, ["parameters/use_auth_token"])


@pytest.mark.parametrize(("tells", "holds"), [("Name", "Value"), ("name", "default"), ("parameterName", "value")])
def test_pairs_are_spelt_in_several_ways(tells: str, holds: str) -> None:
    pair = {tells: "db_password", "type": "string", holds: WORD}

    assert redact([pair]) == ([pair | {holds: STARS}], [f"0/{holds}"])
    assert redact({"env": [{tells: "STORE_KEY", holds: WORD}]}) == (
        {"env": [{tells: "STORE_KEY", holds: STARS}]},
        [f"env/0/{holds}"],
    )


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (f"https://a.blob.core.windows.net/c/d%20e.txt?sv=2019-07-07&sig={SIGNATURE}&se=2026&sp=r",
         "https://a.blob.core.windows.net/c/d%20e.txt?sv=2019-07-07&sig=***&se=2026&sp=r"),
        (f"see https://h/p?sig={SIGNATURE}, then", "see https://h/p?sig=***, then"),
        (f"https://h/?u=https%3A%2F%2Fb%3Fsig%3D{SIGNATURE.replace('%', '%25')}%26se%3D1",
         "https://h/?u=https%3A%2F%2Fb%3Fsig%3D***%26se%3D1"),
        (f"AccountName=a;AccountKey={STORAGE_KEY};EndpointSuffix=x", "AccountName=a;AccountKey=***;EndpointSuffix=x"),
        (f"Server=s;User=u;Password={WORD};", "Server=s;User=u;Password=***;"),
        (f"the key is {STORAGE_KEY}.", "the key is ***."),
        (f"curl -H 'Authorization: Bearer 1{WORD}'", "curl -H 'Authorization: Bearer ***'"),
        (f"https://me:{WORD}@github.com/o/r.git", "https://me:***@github.com/o/r.git"),
        (json.dumps({"a": 1, "account_key": WORD}), '{"a": 1, "account_key": "***"}'),
        (json.dumps(json.dumps({"password": WORD})), '"{\\"password\\": \\"***\\"}"'),
        (f"{{'sas_token': '{WORD}'}}", "{'sas_token': '***'}"),
    ],
    ids=NUMBERED[:11],
)  # fmt: skip
def test_secret_shapes_in_any_text(shape: str, expected: str) -> None:
    """Only the secret goes: path, other parameters and the words around it stay."""
    assert expected == text(shape)
    assert expected == text(expected)


@pytest.mark.parametrize("start", ["%2B", "%2F", "%252B", "+", "/", "a"])
def test_a_signature_may_begin_with_any_of_its_letters(start: str) -> None:
    assert text(f"https://h/p?sv=1&sig={start}{SIGNATURE}&se=2") == "https://h/p?sv=1&sig=***&se=2"


def test_json_web_tokens_and_private_keys() -> None:
    assert text(f"a {jwt()} b") == "a *** b"
    kind = "RSA PRIVATE" + " KEY"
    assert text(f"-----BEGIN {kind}-----\n{WORD}\n-----END {kind}-----\n") == "***\n"


@pytest.mark.parametrize(
    "ordinary",
    [
        "the bearer of this message", "bearer authentication_middleware_module", "design=0.5",
        "https://h/p?design=3&assigned=x", "user@example.com", "https://h/a@b", "a==b", WORD, "eyJust a word",
        "azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/d/paths/x", "git@github.com:o/r.git",
        base64.b64encode(secrets.token_bytes(65)).decode(), base64.b64encode(secrets.token_bytes(640)).decode(),
    ],
    ids=NUMBERED,
)  # fmt: skip
def test_ordinary_texts_stay(ordinary: str) -> None:
    assert ordinary == text(ordinary)


def test_own_globs_take_names_paths_and_all_that_lies_below() -> None:
    document = {"tags": {"customer": "c", "other": 1}, "env": {"a": {"b": [1, None, "x"]}}}

    clean, found = redact(document, ["customer", "env/*"])

    assert clean == {"tags": {"customer": STARS, "other": 1}, "env": {"a": {"b": [STARS, None, STARS]}}}
    assert found == ["tags/customer", "env/a/b/0", "env/a/b/2"]


def test_command_lines() -> None:
    argv = [
        "extract",
        "--source",
        "s.json",
        "--sas-token",
        WORD,
        f"--client-secret={WORD}",
        "--redact",
        "a*",
        f"x?sig={WORD}",
    ]

    assert [
        "extract",
        "--source",
        "s.json",
        "--sas-token",
        STARS,
        f"--client-secret={STARS}",
        "--redact",
        "a*",
        "x?sig=***",
    ] == arguments(argv)


Planted = tuple[Any, Any, int]
"""A document, the same without its secrets, and how many they are."""


def secret(name: str) -> bool:
    return names_secret(name) or "env" in name.lower()


# Hypothesis draws from the words of the code under test, so secret names do come up
PLAIN_NAME = st.text(st.characters(codec="utf-8"), max_size=12).filter(lambda name: not secret(name))
PLAIN_TEXT = st.text("abcdefgh ABC.:/-_0123456789äöü\n", max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | PLAIN_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN_NAME, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_documents_without_secrets_do_not_change(document: Any) -> None:
    assert (document, []) == redact(document)


@given(JSON, st.sampled_from(SECRET_NAMES), st.text(min_size=1))
def test_no_secret_is_left_and_a_second_look_finds_nothing(document: Any, name: str, secret: str) -> None:
    marked = f"{secret}-{WORD}"

    clean, found = redact({"inner": [document, {name: marked}]})

    assert [f"inner/1/{name}"] == found
    assert WORD not in json.dumps(clean)
    assert (clean, []) == redact(clean)


SHAPES = (
    (f"https://h/p?sv=1&sig={SIGNATURE}&se=2", "https://h/p?sv=1&sig=***&se=2"),
    (f"AccountKey={WORD};EndpointSuffix=x", "AccountKey=***;EndpointSuffix=x"),
    (f"https://user:{WORD}@host/r.git", "https://user:***@host/r.git"),
)
"""Texts with a secret in them, and what is left."""
PLAIN = JSON.map(lambda value: (value, value, 0))
SECRETS = st.sampled_from(SHAPES).map(lambda pair: (*pair, 1))


def listed(parts: list[Planted]) -> Planted:
    return [part[0] for part in parts], [part[1] for part in parts], sum(part[2] for part in parts)


def keyed(parts: dict[str, Planted]) -> Planted:
    whole, clean, count = listed(list(parts.values()))
    return dict(zip(parts, whole, strict=True)), dict(zip(parts, clean, strict=True)), count


def under_a_name(name: str) -> Planted:
    return {name: f"{WORD} {name}"}, {name: STARS}, 1


PLANTED = st.recursive(
    PLAIN | SECRETS | st.sampled_from(SECRET_NAMES).map(under_a_name),
    lambda inner: st.lists(inner, max_size=4).map(listed) | st.dictionaries(PLAIN_NAME, inner, max_size=4).map(keyed),
    max_leaves=12,
)


@given(PLANTED)
def test_of_what_was_planted_nothing_is_left_and_nothing_else_changes(planted: Planted) -> None:
    """Secrets by name and by shape, anywhere in any document: each is told once."""
    document, expected, count = planted

    clean, found = redact({"inner": document})

    assert clean == {"inner": expected}
    assert len(found) == count
    assert (clean, []) == redact(clean)


@given(st.text(), st.text())
def test_a_signature_is_found_whatever_surrounds_it(before: str, after: str) -> None:
    assert SIGNATURE not in text(f"{before}?sig={SIGNATURE}&{after}")


def planted_at_each_level(levels: int) -> Any:
    """A secret by name and one by shape at every level, and between them lists and objects."""
    value: Any = {"password": WORD, "url": f"https://h/p?sig={SIGNATURE}"}
    for level in range(levels):
        value = (
            {"password": WORD, "url": f"https://h/p?sig={SIGNATURE}", "x": value}
            if level % 2
            else ["--password", value]
        )
    return value


@pytest.mark.parametrize("levels", [90, 98, 99, 100, 101, 500, 5_000, 50_000])
def test_what_is_nested_without_end_is_left_out_and_named(levels: int) -> None:
    """Never a crash, and never written as it came: down to where it is looked at secrets are taken out as ever."""
    planted = {"tags": {"plain": "stays"}, "parameters": {"odd": planted_at_each_level(levels)}}

    clean, found = redact(planted)

    written = json.dumps(clean)
    assert WORD not in written
    assert SIGNATURE not in written
    assert clean["tags"] == {"plain": "stays"}  # type: ignore[index,call-overload]
    assert (TOO_DEEP in written) == (levels >= 98)
    whole = {path for path in found if path.endswith(CUT_OFF)}
    begin = "1/x" if levels % 2 else "x/1"
    assert whole == ({f"parameters/odd/{begin}{CUT_OFF}"} if levels >= 98 else set())
    assert redact(clean) == (clean, list(whole))


def test_what_was_left_out_when_it_was_read_is_named_too() -> None:
    """An answer of a service is cut before anybody looks at it."""
    assert redact({"a": {"b": TOO_DEEP}}) == ({"a": {"b": TOO_DEEP}}, [f"a/b{CUT_OFF}"])


def test_an_option_with_one_dash_says_what_follows_it() -> None:
    """Since version 6; a flag, a number and the next option are nobody's value."""
    word = secrets.token_hex(8)
    line = ["java", "Tool", "-password", word, "-epochs", "3", "-token", "-v"]

    assert redact(line) == ([*line[:3], STARS, *line[4:]], ["3"])
    assert Rules(version=5).document(line) == (line, [])
    assert text(f"-storePassword {word}") == f"-storePassword {STARS}"
    assert text("-password is what it asks for") == "-password is what it asks for"
