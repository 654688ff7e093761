"""Holds every answer of the server against the document that the server publishes about itself.

Hang `check` (or `check_async`) on an httpx client's responses: an answer that the document does not
allow fails the test in which it came, whatever that test is about.
"""

import re
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from runcycles_server.http.metrics import MEDIA_TYPE
from runcycles_server.http.openapi import document
from runcycles_server.http.routes import ENDPOINTS

DOCUMENT = document(ENDPOINTS)
CORRELATION = ("x-request-id", "x-cycles-trace-id")
NOT_MODIFIED = 304
OUTSIDE_THE_TABLE = (404, 405, 431)
"""What is answered before any endpoint is found."""


def check(response: httpx.Response) -> None:
    """Assert that the document allows this answer."""
    response.read()
    _check(response)


async def check_async(response: httpx.Response) -> None:
    """Assert that the document allows this answer."""
    await response.aread()
    _check(response)


def _check(response: httpx.Response) -> None:
    request = response.request
    where = f"{request.method} {request.url.path} -> {response.status_code} {response.text}"
    assert all(re.fullmatch("[0-9a-f]{32}", response.headers[name]) for name in CORRELATION), where
    if response.status_code == NOT_MODIFIED:
        _schema_of(response)
        assert response.content == b"", where
        assert response.headers["etag"], where
        return
    if request.url.path == "/metrics" and response.is_success:
        assert response.headers["content-type"] == MEDIA_TYPE, where
        return
    assert response.headers["content-type"] == "application/json", where
    if request.method == "HEAD":
        return
    complaints = list(_validator(*_schema_of(response)).iter_errors(response.json()))
    assert complaints == [], f"{where}: {[complaint.message for complaint in complaints]}"
    if response.is_error:
        said = response.json()
        assert said["request_id"] == response.headers["x-request-id"], where
        assert said["trace_id"] == response.headers["x-cycles-trace-id"], where


def _schema_of(response: httpx.Response) -> tuple[str | None, str, int]:
    request = response.request
    template = template_of(request.url.path)
    method, status = request.method.lower(), response.status_code
    if template is None or method not in DOCUMENT["paths"][template]:
        assert status in OUTSIDE_THE_TABLE
        return None, method, status
    assert str(status) in DOCUMENT["paths"][template][method]["responses"], (
        f"{request.method} {template} answered {status}, which its description does not know: "
        f"{response.text}"
    )
    return template, method, status


def template_of(path: str) -> str | None:
    """The path of the table that serves this path."""
    for template in DOCUMENT["paths"]:
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path):
            return str(template)
    return None


@cache
def _validator(template: str | None, method: str, status: int) -> Draft202012Validator:
    if template is None:
        schema: dict[str, Any] = {"$ref": "#/components/schemas/ErrorResponse"}
    else:
        answer = DOCUMENT["paths"][template][method]["responses"][str(status)]
        schema = answer["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})
