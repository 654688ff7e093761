"""Ops as HTTP requests, and HTTP requests as ops."""

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from runcycles.errors import ErrorCode, InvalidRequestError, Problem
from runcycles.ops import (
    DEFAULT_GRACE_MS,
    Balances,
    Commit,
    CommitBody,
    Decide,
    Extend,
    ExtendBody,
    GetReservation,
    ListReservations,
    Op,
    Record,
    Release,
    ReleaseBody,
    Reserve,
)
from runcycles.scopes import LEVELS
from runcycles.types import Subject
from runcycles.wire.adapters import adapter, from_json, to_json

O = TypeVar("O", bound=Op[Any])  # noqa: E741 - an op


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an op goes: method, path, the type of its body, and the status of success."""

    method: str
    path: str
    body: type[Any] | None = None
    status: int = 200


ENDPOINTS: Final[dict[type[Op[Any]], Endpoint]] = {
    Reserve: Endpoint("POST", "/v1/reservations", Reserve),
    Commit: Endpoint("POST", "/v1/reservations/{reservation_id}/commit", CommitBody),
    Release: Endpoint("POST", "/v1/reservations/{reservation_id}/release", ReleaseBody),
    Extend: Endpoint("POST", "/v1/reservations/{reservation_id}/extend", ExtendBody),
    Decide: Endpoint("POST", "/v1/decide", Decide),
    Record: Endpoint("POST", "/v1/events", Record, status=201),
    ListReservations: Endpoint("GET", "/v1/reservations"),
    GetReservation: Endpoint("GET", "/v1/reservations/{reservation_id}"),
    Balances: Endpoint("GET", "/v1/balances"),
}

MAX_ID_LENGTH: Final = 128
"""Of a reservation's id; longer ones were never ours."""

_QUERY_NAMES: Final = {"created_from": "from", "created_to": "to"}
_SCOPE_VALUE: Final = re.compile(r"[a-zA-Z0-9_.-]+")
_levels_of: Final = attrgetter(*LEVELS)
_DIMENSION_NAME: Final = re.compile(r"[a-z0-9_.-]+")


def path_of(op: Op[Any]) -> str:
    """The path of an op, its id escaped."""
    reservation_id = getattr(op, "reservation_id", "")
    path = ENDPOINTS[type(op)].path
    return path.replace("{reservation_id}", quote(reservation_id, safe=""))


def query_of(op: Op[Any]) -> dict[str, str]:
    """The query parameters of a reading op; what was not given is left out."""
    given: dict[str, str] = {}
    for field in fields(cast("Any", op)):
        value = getattr(op, field.name)
        if value is not None and field.name != "reservation_id":
            text = str(value).lower() if isinstance(value, bool) else str(value)
            given[query_name(field.name)] = text
    return given


def query_name(field: str) -> str:
    """The parameter in which a field travels: some of their names are words of Python."""
    return _QUERY_NAMES.get(field, field)


def encode_body(op: Op[Any]) -> bytes | None:
    """The JSON body of an op; None where it has none. Its values are checked by who reads it.

    Raises:
        InvalidRequestError: where a value has no form in JSON.
    """
    body = ENDPOINTS[type(op)].body
    if body is None:
        return None
    try:
        return to_json(body, op, warnings=False)
    except PydanticSerializationError as problem:
        raise invalid("", f"it cannot be written as JSON: {problem}") from None


def parse_body(op_type: type[O], body: bytes, reservation_id: str = "") -> O:
    """The op in a request body, every rule of the protocol checked.

    Raises:
        InvalidRequestError: naming the field.
    """
    return read_body(op_type, body, reservation_id)[0]


def read_body(op_type: type[O], body: bytes, reservation_id: str = "") -> tuple[O, bytes]:
    """The op in a request body and its fingerprint; to check the one is half of making the other.

    Raises:
        InvalidRequestError: naming the field.
    """
    body_type = ENDPOINTS[op_type].body
    if body_type is None:
        raise TypeError(f"{op_type.__name__} has no body")
    parsed = _validated(body_type, body)
    said, is_plain = to_json(body_type, parsed), _is_plain(parsed)
    if not (is_plain and _says_each_thing_once(body, said)):
        _look_closer(body)
    op = _checked(op_type, parsed, reservation_id)
    return op, _digest(op, said, is_plain=is_plain)


def read_op(op: O) -> tuple[O, bytes]:
    """`read_body` of an op in this process: what came out of it had it been sent.

    Raises:
        InvalidRequestError: naming the field.
    """
    body_type, said = ENDPOINTS[type(op)].body, encode_body(op)
    if body_type is None or said is None:
        raise TypeError(f"{type(op).__name__} has no body")
    parsed = _validated(body_type, said)
    maps, is_plain = _free_maps(parsed), _is_plain(parsed)
    if maps and not (is_plain and _says_each_thing_once(said, to_json(body_type, parsed))):
        _look_closer(said)
    read = _checked(type(op), parsed, getattr(op, "reservation_id", ""))
    return read, _digest(read, said, is_plain=is_plain)


def _checked(op_type: type[O], parsed: Any, reservation_id: str) -> O:
    """The op of a body whose types are right: what they cannot say is checked as well."""
    if ENDPOINTS[op_type].body is op_type:
        _check_subject(parsed.subject)
        _check_not_blank(parsed.action.kind, "action.kind")
        _check_not_blank(parsed.action.name, "action.name")
        return cast("O", parsed)
    _check_reservation_id(reservation_id)
    make = cast("Callable[..., O]", op_type)
    given = {name: getattr(parsed, name) for name in _names(cast("Any", op_type))}
    return make(**given, reservation_id=reservation_id)


@cache
def _names(op_type: Any) -> tuple[str, ...]:
    """What of an op stands in its body."""
    names = (field.name for field in fields(op_type))
    return tuple(name for name in names if name != "reservation_id")


B = TypeVar("B")


def parse_as(body_type: type[B], body: bytes) -> B:
    """Any closed body: strict JSON, strict types, no key twice.

    Raises:
        InvalidRequestError: naming the field.
    """
    parsed = _validated(body_type, body)
    # Defaults do not count, since they may be left out of a body; one that says them is looked at.
    said = adapter(body_type).dump_json(parsed, exclude_defaults=True)
    if not (_is_plain(parsed) and _says_each_thing_once(body, said)):
        _look_closer(body)
    return parsed


def _validated(body_type: type[B], body: bytes) -> B:
    try:
        return cast("B", from_json(body_type, body, strict=True))
    except ValidationError as problem:
        raise invalid(*_first(problem)) from None


def parse_query(op_type: type[O], query: Mapping[str, str], **path: str) -> O:
    """The op in a query string; unknown parameters are ignored, blank ones count as absent.

    Raises:
        InvalidRequestError: naming the parameter.
    """
    given: dict[str, Any] = dict(path)
    for field in fields(cast("Any", op_type)):
        if field.name in path:
            continue
        text = query.get(query_name(field.name))
        if text is not None and (text.strip() or field.name in {"status", "sort_by", "sort_dir"}):
            given[field.name] = text
    try:
        return cast("O", adapter(op_type).validate_python(given))
    except ValidationError as problem:
        name, reason = _first(problem)
        raise invalid(query_name(name), reason) from None


def speaks_extension(op: Op[Any]) -> bool:
    """Whether a question uses what the protocol's extension adds, so that its answer may too."""
    if isinstance(op, Reserve) and op.observe_mode is not None:
        return True
    return isinstance(op, Reserve | Decide) and op.action.policy_keys is not None


def fingerprint(op: Op[Any]) -> bytes:
    """SHA-256 of the canonical request: equal requests have equal ones, whatever their spelling.

    An absent optional differs from its default, except `dry_run` and `grace_period_ms`.
    """
    return _digest(op, encode_body(op) or b"", is_plain=_is_plain(op))


def _digest(op: Op[Any], said: bytes, *, is_plain: bool) -> bytes:
    """The fingerprint of an op whose body, as we write it, is known."""
    if isinstance(op, Reserve) and (op.dry_run is False or op.grace_period_ms == DEFAULT_GRACE_MS):
        grace = None if op.grace_period_ms == DEFAULT_GRACE_MS else op.grace_period_ms
        op = replace(op, dry_run=op.dry_run or None, grace_period_ms=grace)
        said = encode_body(op) or b""
    if not is_plain:
        canonical = _canonical(json.loads(said))
        said = json.dumps(canonical, ensure_ascii=False, separators=(",", ":")).encode()
    return hashlib.sha256(said).digest()


def invalid(field: str, reason: str) -> InvalidRequestError:
    """A 400 that names the field."""
    where = f"{field}: " if field else ""
    return InvalidRequestError(
        Problem(
            status=400,
            error_code=ErrorCode.INVALID_REQUEST,
            message=f"Validation failed: {where}{reason}",
            details={"field": field} if field else {},
        )
    )


def _says_each_thing_once(body: bytes, said: bytes) -> bool:
    """Whether it is clear, without looking closer, that no key of a plain body stands twice.

    What we would say of the parsed body holds each key and text once. A body without escapes that
    has as many quotes has no other.
    """
    return b"\\" not in body and body.count(b'"') == said.count(b'"')


def _look_closer(body: bytes) -> None:
    """Refuse what pydantic lets through: a key that stands twice, a number that is none."""
    try:
        json.loads(body, object_pairs_hook=_strict)
    except ValueError as problem:
        raise invalid("", f"the body is not JSON: {problem}") from None


def _strict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of the body, if every key stands once and every number is one."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise invalid(twice, "this key stands twice in one object")
    for name, value in pairs:
        if not _is_finite(value):
            raise invalid(name, "this is not a number, or one that is too large")
    return found


def _is_finite(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_finite(item) for item in value)
    return not isinstance(value, float) or math.isfinite(value)


def _first(problem: ValidationError) -> tuple[str, str]:
    """Where and what the first complaint is."""
    error = problem.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in error["loc"])
    unknown = error["type"] == "unexpected_keyword_argument"
    return where, "this key is not known here" if unknown else error["msg"]


def _check_subject(subject: Subject) -> None:
    if subject.dimensions or not _are_scope_values(_levels_of(subject)):
        _find_fault(subject)


@lru_cache(maxsize=4_096)
def _are_scope_values(values: tuple[str | None, ...]) -> bool:
    """Whether some are given and all of those fit; kept, as the same few subjects ask again."""
    given = [value for value in values if value is not None]
    return bool(given) and all(map(_SCOPE_VALUE.fullmatch, given))


def _find_fault(subject: Subject) -> None:
    given = [(level, value) for level in LEVELS if (value := getattr(subject, level)) is not None]
    if not given:
        raise invalid("subject", f"give at least one of {', '.join(LEVELS)}")
    for level, value in given:
        if not _SCOPE_VALUE.fullmatch(value):
            raise invalid(f"subject.{level}", "use letters, digits, '_', '.' and '-' only")
    for name in subject.dimensions or ():
        if not _DIMENSION_NAME.fullmatch(name):
            raise invalid(
                f"subject.dimensions.{name}", "name it with a-z, digits, '_', '.' and '-' only"
            )


def _check_reservation_id(reservation_id: str) -> None:
    if not 1 <= len(reservation_id) <= MAX_ID_LENGTH:
        raise invalid("reservation_id", f"it must have 1 to {MAX_ID_LENGTH} characters")


def _check_not_blank(value: str, field: str) -> None:
    if not value.strip():
        raise invalid(field, "must not be blank")


def _free_maps(op: Any) -> list[Mapping[str, Any]]:
    """The objects in a body whose keys the types do not fix, as far as it has them."""
    subject = getattr(op, "subject", None)
    keys = None if subject is None else op.action.policy_keys
    found = (
        getattr(op, "metadata", None),
        None if subject is None else subject.dimensions,
        None if keys is None else keys.custom,
        getattr(getattr(op, "metrics", None), "custom", None),
    )
    return [each for each in found if each]


def _is_plain(op: Any) -> bool:
    """Whether each free object in a body has only one spelling: texts, under keys in order.

    Others may hold numbers that are none, and are looked at closer.
    """
    return all(
        all(type(value) is str for value in each.values()) and list(each) == sorted(each)
        for each in _free_maps(op)
    )


FREE: Final = ("metadata", "dimensions", "custom")


def _canonical(value: Any, *, is_free: bool = False) -> Any:
    """JSON values with one spelling each: 1.0 is 1 (RFC 8785), free keys are in order."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            names = sorted(value) if is_free else value
            return {
                name: _canonical(value[name], is_free=is_free or name in FREE) for name in names
            }
        case list():
            return [_canonical(item, is_free=is_free) for item in value]
        case _:
            return value
