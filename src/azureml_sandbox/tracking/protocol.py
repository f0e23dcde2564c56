"""Reads and writes MLflow's messages as the service does: protobuf as JSON, in the recorded manner.

Recorded: whole numbers of 64 bits (times) are strings, empty lists are left out. NaN and the infinities are strings in
both directions (seen with azureml-mlflow). The error body, with capitals and without `message`, is printed word for
word in public reports of users of the service (mlflow/mlflow issues 10694 of 2023 and 11462 of 2024).
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from typing import Any

import orjson
from google.protobuf.json_format import (  # type: ignore[import-untyped]  # its stubs are a package of their own
    MessageToDict,
    ParseDict,
    ParseError,
)
from mlflow.exceptions import MlflowException
from starlette.responses import Response

from azureml_sandbox.protocol import bodies, errors
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.route import Call, Handler
from azureml_sandbox.world import Document

REQUEST_BYTES = 1_000_000
"""MLflow's REST documentation: the most that one log-batch request may weigh."""

_CODES = {400: "BAD_REQUEST", 403: "PERMISSION_DENIED", 404: "RESOURCE_DOES_NOT_EXIST", 409: "RESOURCE_ALREADY_EXISTS"}


def speaking(kind: type[Any], answer: Callable[[Call, Any], Any]) -> Handler:
    """A handler for one MLflow message: `answer` gets it parsed, and answers with the message's `Response`.

    It may be awaited for it.
    """

    async def answering(call: Call) -> Response:
        try:
            answered = answer(call, await _request(call, kind))
            answered = await answered if isawaitable(answered) else answered
        except Refused as refused:
            return refusal(refused, call.workspace.region)
        except MlflowException as wrong:  # the search parser's
            return refusal(errors.invalid(str(wrong)), call.workspace.region)
        return bodies.answer(MessageToDict(answered, preserving_proto_field_name=True))

    return answering


async def _request(call: Call, kind: type[Any]) -> Any:  # noqa: ANN401 a protobuf message
    raw = await call.request.body()
    if len(raw) > REQUEST_BYTES:
        raise over_size("Request/Length", REQUEST_BYTES, len(raw))
    try:
        given = _queried(call, kind) if call.request.method == "GET" else orjson.loads(raw or b"{}")
        if not isinstance(given, dict):
            raise errors.invalid("The request is invalid: it is no JSON object.")
        return ParseDict(given, kind(), ignore_unknown_fields=True)
    except (orjson.JSONDecodeError, ParseError) as wrong:
        raise errors.invalid(f"The request is invalid: {wrong}") from wrong


def _queried(call: Call, kind: type[Any]) -> Document:
    """The fields of a query; one that may be repeated is a list, however often it is there."""
    asked = call.request.query_params
    empty = kind()
    repeated = {field.name for field in kind.DESCRIPTOR.fields if hasattr(getattr(empty, field.name), "extend")}
    return {key: asked.getlist(key) if key in repeated else asked[key] for key in asked}


def over_size(field: str, limit: int, size: int) -> Refused:
    """400 in the service's words (mlflow/mlflow issue 11462; Azure/azure-sdk-for-python issue 35685)."""
    return errors.invalid(
        f"A field of the entity is over the size limit. FieldName={field}, Limit={limit}, Size={size}."
        " See https://aka.ms/azure-machine-learning-limits for service limits documentation."
    )


def within(field: str, size: int, limit: int) -> None:
    """Raises Refused (400) where `size` is above `limit`."""
    if size > limit:
        raise over_size(field, limit, size)


def refusal(refused: Refused, region: str) -> Response:
    """The answer that says no, in this service's form."""
    return bodies.answer(_refusal(refused, region), refused.status)


def _refusal(refused: Refused, region: str) -> Document:
    body = errors.data_plane(refused, region, "mlflow")
    # `UserError` alone: as it was printed of a filter (Azure/azure-sdk-for-python#42155).
    wrong = refused.status == 400 and tuple(refused.chain) in {("ValidationError",), ("UserError",)}
    code = "INVALID_PARAMETER_VALUE" if wrong else _CODES[refused.status]
    capitals = {_capital(key): value for key, value in body.items() if key != "statusCode"}
    capitals["Error"] = {_capital(key): value for key, value in body["error"].items()}
    return capitals | {"statusCode": refused.status, "error_code": code}


def _capital(key: str) -> str:
    return key[0].upper() + key[1:]
