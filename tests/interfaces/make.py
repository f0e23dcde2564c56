"""Writes `facts.json`: what the interface files say of the routes that the sandbox speaks. Facts, no words of theirs.

    PYTHONPATH=src:tests python -m interfaces.make

A schema is the name of a kind (`string`, `integer`, `date-time`, `any` …), `@name` of a type, or an object with one of
`enum`, `list`, `map`, `keys` (then also `required`, and `open` where further keys may come), `by` (the key that chooses
a type) and `of`. A `?` behind a name, or `null`, says that null may stand there.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from azureml_sandbox.front.routes import spoken
from azureml_sandbox.protocol.route import PREFIX

FOLDER = Path(os.environ.get("AZUREML_REPLAY_INTERFACES", Path(__file__).parents[3] / "shared" / "service" / "swagger"))
TABLE = Path(__file__).with_name("facts.json")
FILES = ("run-history", "artifact", "dataset-dataplane", "mfe-2024-04-01")
"""dp-2019-09-30-runHistory.json is an older form of the first."""
_WORKSPACE = re.compile(
    r"/subscriptions/\{\w+\}/resourceGroups/\{\w+\}/providers/Microsoft\.MachineLearningServices/workspaces/\{\w+\}"
)
_IN_BODY = "body"
Json = dict[str, Any]


def routes() -> Iterator[str]:
    """`METHOD route` of all that the sandbox speaks, as `azureml-sandbox requests` names them."""
    yield from sorted({f"{one.method} {PREFIX[one.service]}{one.path}" for one in spoken()})


def form(path: str) -> str:
    """A path without the names of its parameters, to compare by."""
    return re.sub(r"\{[^}]*\}", "{}", path).lower()


class File:
    """One interface file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._whole: Json = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
        self._types: Json = self._whole.get("definitions") or self._whole["components"]["schemas"]
        self._says_null = '"nullable"' in json.dumps(self._whole) or '"x-nullable"' in json.dumps(self._whole)
        self.used: set[str] = set()

    def operations(self) -> Iterator[tuple[str, Json]]:
        """`METHOD form` of each operation below a workspace, with its facts."""
        for path, methods in self._whole["paths"].items():
            below, found = _WORKSPACE.subn("", path)
            if found:
                for method, operation in methods.items():
                    yield f"{method.upper()} {form(below)}", operation

    def facts(self, operation: Json) -> Json:
        """The body, the query and the answers of an operation."""
        query, body, needed = {}, None, False
        for given in operation.get("parameters", []):
            parameter = self._parameter(given)
            if parameter.get("in") == "query":
                schema = self.schema(parameter.get("schema") or parameter)
                query[parameter["name"]] = {"is": schema} | ({"required": True} if parameter.get("required") else {})
            elif parameter.get("in") == _IN_BODY:
                body, needed = self.schema(parameter["schema"]), bool(parameter.get("required"))
        if "requestBody" in operation:
            body, needed = self._content(operation["requestBody"]), bool(operation["requestBody"].get("required"))
        answers = {status: self._content(answer) for status, answer in operation["responses"].items()}
        facts = {"file": self.name, "query": query, "body": body, "answers": answers}
        return facts | ({"needed": True} if needed else {})

    def _parameter(self, given: Json) -> Json:
        """A parameter; those that every operation of ARM shares stand in a file that is not here."""
        if "$ref" not in given:
            return given
        name = given["$ref"].rpartition("/")[2]
        shared = self._whole.get("parameters") or self._whole.get("components", {}).get("parameters", {})
        if name == "ApiVersionParameter":
            return {"in": "query", "name": "api-version", "type": "string", "required": True}
        found: Json = shared.get(name, {})
        return found

    def _content(self, given: Json) -> Any:
        """The schema of a body; None where there is none."""
        schema = given.get("schema") or next((one.get("schema") for one in given.get("content", {}).values()), None)
        return None if schema is None else self.schema(schema)

    def schema(self, given: Json) -> Any:
        """A schema in the table's form."""
        if "$ref" in given:
            return self._named(given["$ref"])
        null = bool(given.get("nullable") or given.get("x-nullable"))
        mark = {"null": True} if null else {}
        if "enum" in given:
            return {"enum": given["enum"]} | mark
        if given.get("type") == "array":
            return {"list": self.schema(given["items"])} | mark
        if "properties" in given or "allOf" in given:
            return self.type(given) | mark
        if isinstance(given.get("additionalProperties"), dict):
            return {"map": self.schema(given["additionalProperties"])} | mark
        kind = given.get("format") or given.get("type") or "any"
        return _KINDS.get(kind, kind) + ("?" if null else "")

    def _named(self, reference: str) -> str:
        place, _, name = reference.rpartition("/")
        if not place.startswith("#"):
            return "ErrorResponse" if name == "ErrorResponse" else "any"
        self.used.add(name)
        return f"@{self.name}/{name}"

    def type(self, given: Json) -> Json:
        """An object's keys, its bases' included. Null: a reference cannot say whether it may be."""
        keys, required, is_open = {}, list(given.get("required", [])), given.get("additionalProperties") is not False
        for base in given.get("allOf", []):
            above = self._base(base["$ref"])
            keys |= above["keys"]
            required += above["required"]
        for name, one in given.get("properties", {}).items():
            keys[name] = self._nullable(self.schema(one))
        return {"keys": keys, "required": sorted(set(required))} | ({"open": True} if is_open else {})

    def _base(self, reference: str) -> Json:
        place, _, name = reference.rpartition("/")
        return self.type(self._types[name]) if place.startswith("#") else {"keys": dict(_RESOURCE), "required": []}

    def _nullable(self, schema: Any) -> Any:
        """As it is where the file tells which may be null, else with null."""
        if self._says_null or (isinstance(schema, str) and schema.startswith("@")):
            return schema
        return schema | {"null": True} if isinstance(schema, dict) else f"{schema.rstrip('?')}?"

    def types(self) -> Iterator[tuple[str, Any]]:
        """Every type that was used so far, and those that it uses, by name."""
        done: set[str] = set()
        while left := sorted(self.used - done):
            for name in left:
                done.add(name)
                yield f"{self.name}/{name}", self._whole_type(name)

    def _whole_type(self, name: str) -> Any:
        given = self._types[name]
        if "discriminator" not in given:
            return self.schema(given)
        key = given["discriminator"]
        key = key if isinstance(key, str) else key["propertyName"]
        below = {
            one["x-ms-discriminator-value"]: self._named(f"#/{kind}")
            for kind, one in self._types.items()
            if any(base.get("$ref", "").endswith(f"/{name}") for base in one.get("allOf", []))
            and "x-ms-discriminator-value" in one
        }
        return {"by": key, "of": below} if below else self.schema(given)


_KINDS: Mapping[str, str] = {
    "int32": "integer",
    "int64": "integer",
    "float": "number",
    "double": "number",
    "uri": "string",
    "arm-id": "string",
    "object": "any",
    "date-span": "string",
    "duration": "string",
}
"""Formats that are not told apart here."""


_RESOURCE = {"id": "string", "name": "string", "type": "string", "systemData": "any"}
"""What ARM's resources have in common; the file that says so is not among ours."""


def table() -> Json:
    """The whole table."""
    files = [File(name) for name in FILES]
    known = {key: (file, operation) for file in files for key, operation in file.operations()}
    found: Json = {}
    for route in routes():
        method, _, path = route.partition(" ")
        if (told := known.get(f"{method} {form(path)}")) is not None:
            file, operation = told
            found[route] = file.facts(operation)
    types = {name: schema for file in files for name, schema in file.types()}
    return {"routes": found, "types": dict(sorted(types.items()))}


def text(whole: Json) -> str:
    """JSON with a line for each route and type, so that a change of one shows as one."""
    parts = []
    for part, members in whole.items():
        lines = [f"{json.dumps(name)}:{json.dumps(one, separators=(',', ':'))}" for name, one in members.items()]
        parts.append(f"{json.dumps(part)}:{{\n" + ",\n".join(lines) + "\n}")
    return "{" + ",\n".join(parts) + "}\n"


if __name__ == "__main__":
    TABLE.write_text(text(table()), "utf-8")
