"""The OpenAPI document, made from the table of endpoints and the types behind it.

Nothing is described by hand that the code already says: a row's types become schemas, its access
becomes a security requirement, its error codes become responses. Absent members are left out of
our answers, so no schema allows null.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import fields
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final, cast

from pydantic import TypeAdapter

from runcycles import wire
from runcycles.errors import ErrorCode
from runcycles.ops import Op
from runcycles_server.http.endpoint import Access, Endpoint, Handler, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.schema_names import PROTOCOL_NAMES

Json = dict[str, Any]

OPENAPI_VERSION: Final = "3.1.0"
_JSON: Final = "application/json"
_REF: Final = "#/components/schemas/"
_SECURITY: Final[dict[Access, list[Json]]] = {
    Access.TENANT: [{"ApiKeyAuth": []}],
    Access.ADMIN: [{"AdminKeyAuth": []}],
    Access.EITHER: [{"ApiKeyAuth": []}, {"AdminKeyAuth": []}],
    Access.PUBLIC: [],
}
_HEX_ID: Final[Json] = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_HEADERS: Final[dict[str, Json]] = {
    "X-Request-Id": {
        "description": "The server's id of this request; quote it when you ask about it.",
        "required": True,
        "schema": _HEX_ID,
    },
    "X-Cycles-Trace-Id": {
        "description": "The trace the request belongs to; taken from the request if it names one.",
        "required": True,
        "schema": _HEX_ID,
    },
    "X-Cycles-Tenant": {
        "description": "The tenant of the API key.",
        "schema": {"type": "string"},
    },
    "X-RateLimit-Remaining": {
        "description": "-1: authenticated calls are not throttled; 0 with a 429.",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Reset": {
        "description": "0: authenticated calls are not throttled; with a 429, in Unix seconds.",
        "schema": {"type": "integer"},
    },
    "Retry-After": {
        "description": "Seconds after which it may be asked again.",
        "schema": {"type": "integer"},
    },
}
_OF_THE_KEY: Final = ("X-Cycles-Tenant", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_OF_THROTTLING: Final = ("X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After")
_THROTTLED: Final = HTTPStatus.TOO_MANY_REQUESTS
_ERROR: Final[Json] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["error", "message", "request_id", "trace_id"],
    "properties": {
        "error": {"type": "string", "enum": [str(code) for code in ErrorCode]},
        "message": {"type": "string", "minLength": 1},
        "request_id": _HEX_ID,
        "trace_id": _HEX_ID,
        "details": {"type": "object"},
    },
}


def document(endpoints: Iterable[Endpoint]) -> Json:
    """The whole document."""
    rows = tuple(endpoints)
    schemas, refs = _schemas(rows)
    paths: dict[str, Json] = defaultdict(dict)
    for row in rows:
        operation = paths[row.path][row.method.lower()] = _operation(row, refs)
        if links := _links(row, rows, refs, schemas):
            operation["responses"][str(row.statuses[0])]["links"] = links
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": "Cycles authority",
            "version": version("runcycles-server"),
            "description": "Decides whether an AI agent's action may happen, and holds its budget.",
        },
        "tags": [{"name": plane.value} for plane in Plane],
        "paths": dict(paths),
        "components": {
            "schemas": {**schemas, "ErrorResponse": _ERROR},
            "headers": _HEADERS,
            "securitySchemes": {
                "ApiKeyAuth": {"type": "apiKey", "in": "header", "name": "X-Cycles-API-Key"},
                "AdminKeyAuth": {"type": "apiKey", "in": "header", "name": "X-Admin-API-Key"},
            },
        },
    }


def describes(endpoints: Callable[[], Iterable[Endpoint]]) -> Handler:
    """The handler that serves the document; it is made when first asked for."""
    made: list[bytes] = []

    async def describe(_service: Service, _exchange: Exchange) -> Answer:
        if not made:
            made.append(json.dumps(document(endpoints())).encode())
        return Answer(200, made[0])

    return describe


def _operation(row: Endpoint, refs: dict[type[Any], Json]) -> Json:
    operation: Json = {
        "operationId": row.operation,
        "summary": row.summary,
        "tags": [row.plane.value],
        "security": _SECURITY[row.access],
        "parameters": [*_path_parameters(row), *_query_parameters(row), *_header_parameters(row)],
        "responses": {**_successes(row, refs), **_failures(row)},
    }
    if row.permission is not None:
        operation["description"] = f"An API key needs the permission `{row.permission}`."
    if row.body is not None:
        content = _content(refs[row.body])
        operation["requestBody"] = {"required": row.body_required, "content": content}
    return operation


def _successes(row: Endpoint, refs: dict[type[Any], Json]) -> Json:
    forms = [refs[form] for form in (row.success, row.other_success) if form]
    plain = {"type": "object" if row.media_type == _JSON else "string"}
    schema = {"anyOf": forms} if len(forms) > 1 else forms[0] if forms else plain
    headers = _header_refs(*(() if row.access is Access.PUBLIC else _OF_THE_KEY))
    answered: Json = {"description": row.summary, "headers": headers}
    content = {"content": _content(schema, row.media_type)}
    return {
        str(int(status)): answered | ({} if status == HTTPStatus.NOT_MODIFIED else content)
        for status in row.statuses
    }


def _failures(row: Endpoint) -> Json:
    by_status: dict[int, list[ErrorCode]] = defaultdict(list)
    for code in possible_errors(row):
        by_status[wire.rule_of(code).status].append(code)
    if row.body is not None:
        by_status[413] = by_status[415] = [ErrorCode.INVALID_REQUEST]
    if row.wrong_state:
        by_status[409].append(ErrorCode.INVALID_REQUEST)
    return {str(status): _failure(status, codes) for status, codes in sorted(by_status.items())}


def _links(
    row: Endpoint,
    rows: tuple[Endpoint, ...],
    refs: dict[type[Any], Json],
    schemas: dict[str, Json],
) -> Json:
    """What can be done next with the id that an answer names: whatever has it in its path."""
    if row.success is None:
        return {}
    answered = schemas[refs[row.success]["$ref"].removeprefix(_REF)]
    return {
        other.operation: {
            "operationId": other.operation,
            "parameters": {f"path.{name}": f"$response.body#/{name}"},
        }
        for other in rows
        for name in re.findall(r"{(\w+)}", other.path)
        if name in answered.get("properties", ())
    }


def possible_errors(row: Endpoint) -> list[ErrorCode]:
    """Every code that an endpoint can answer with: its own, and those of its access."""
    codes = {*row.errors, ErrorCode.INTERNAL_ERROR}
    if "{" in row.path:
        codes.add(ErrorCode.NOT_FOUND)  # an empty id, or one with a slash, leads nowhere
    if row.access is not Access.PUBLIC:
        codes |= {ErrorCode.UNAUTHORIZED, ErrorCode.INVALID_REQUEST, ErrorCode.LIMIT_EXCEEDED}
    if row.access in (Access.TENANT, Access.EITHER):
        codes |= {ErrorCode.FORBIDDEN, row.plane.forbids_with}
    return sorted(codes, key=tuple(ErrorCode).index)


def _failure(status: int, codes: list[ErrorCode]) -> Json:
    schema = {
        "allOf": [
            {"$ref": f"{_REF}ErrorResponse"},
            {"properties": {"error": {"enum": [str(code) for code in codes]}}},
        ]
    }
    return {
        "description": ", ".join(codes),
        "headers": _header_refs(*(_OF_THROTTLING if status == _THROTTLED else ())),
        "content": _content(schema),
    }


def _content(schema: Json, media_type: str = _JSON) -> Json:
    return {media_type: {"schema": schema}}


def _header_refs(*more: str) -> Json:
    return {
        name: {"$ref": f"#/components/headers/{name}"}
        for name, header in _HEADERS.items()
        if name in more or header.get("required")
    }


def _path_parameters(row: Endpoint) -> list[Json]:
    schema = {"type": "string", "minLength": 1, "maxLength": 128}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name in re.findall(r"{(\w+)}", row.path)
    ]


def _query_parameters(row: Endpoint) -> list[Json]:
    """Those of both forms, where there are two; what both have is said as in the first."""
    found: dict[str, Json] = {}
    for query in (row.other_query, row.query):
        if query is not None:
            found |= {parameter["name"]: parameter for parameter in _parameters_of(query, row.path)}
    return list(found.values())


def _parameters_of(query: type[Any], path: str) -> list[Json]:
    found = _tidy(TypeAdapter(query).json_schema())
    definitions = {_named(name): schema for name, schema in found.get("$defs", {}).items()}
    return [
        {
            "name": name,
            "in": "query",
            "required": field in found.get("required", ()),
            "schema": _inlined(found["properties"][field], definitions),
        }
        for field, name in _query_names(query).items()
        if f"{{{field}}}" not in path
    ]


def _query_names(query: type[Any]) -> dict[str, str]:
    """Field → parameter, as the wire's own spelling has it."""
    names = [field.name for field in fields(query)]
    if not issubclass(query, Op):
        return {name: wire.query_name(name) for name in names}
    asked = wire.query_of(cast("Any", query)(**dict.fromkeys(names, "")))
    in_query = [name for name in names if name != "reservation_id"]
    return dict(zip(in_query, asked, strict=True))


def _inlined(schema: Json, definitions: Json) -> Json:
    if "$ref" not in schema:
        return schema
    rest = {name: value for name, value in schema.items() if name != "$ref"}
    return {**definitions[schema["$ref"].rpartition("/")[2]], **rest}


def _header_parameters(row: Endpoint) -> list[Json]:
    found = [
        _optional_header("traceparent", "W3C trace context, version 00."),
        _optional_header("X-Cycles-Trace-Id", "32 hex digits; `traceparent` wins over it."),
    ]
    if row.plane is Plane.RUNTIME and row.body is not None:
        found += [
            _optional_header("X-Idempotency-Key", "Must equal the key in the body."),
            _optional_header("X-Cycles-Extensions", "`0.1.26`: denials say what would help."),
        ]
    return found


def _optional_header(name: str, description: str) -> Json:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}


def _schemas(rows: tuple[Endpoint, ...]) -> tuple[dict[str, Json], dict[type[Any], Json]]:
    """The schemas by their names in the protocol, and where each type's is."""
    types = {t for row in rows for t in (row.body, row.success, row.other_success) if t}
    inputs = [(t, "validation", TypeAdapter(t)) for t in sorted(types, key=lambda t: t.__name__)]
    found, shared = TypeAdapter.json_schemas(cast("Any", inputs), ref_template=_REF + "{model}")
    schemas = {_named(name): _tidy(schema) for name, schema in shared["$defs"].items()}
    return schemas, {t: _tidy(schema) for (t, _), schema in found.items()}


def _tidy(schema: Any) -> Any:
    """Without null, without titles that only repeat names, and with the protocol's names."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option != {"type": "null"}]
        if len(options) == 1:
            schema = {**options[0], **{k: v for k, v in schema.items() if k != "anyOf"}}
    return {
        name: _renamed(value) if name == "$ref" else _tidy(value)
        for name, value in schema.items()
        if not (name == "title" and isinstance(value, str))
        and not (name == "default" and value is None)
    }


def _renamed(ref: str) -> str:
    place, _, name = ref.rpartition("/")
    return f"{place}/{_named(name)}"


def _named(name: str) -> str:
    return PROTOCOL_NAMES.get(name, name)
