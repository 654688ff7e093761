"""The wire protocol: the only place that knows JSON, paths, headers and status codes.

Server and client read the same tables here, so they cannot disagree.
"""

from runcycles.wire.codes import ErrorRule, error_for, rule_of
from runcycles.wire.problems import decode_problem, encode_problem, problem_of
from runcycles.wire.replies import as_observed, decode_reply, encode_reply, with_remaining_ttl
from runcycles.wire.requests import (
    ENDPOINTS,
    Endpoint,
    encode_body,
    fingerprint,
    parse_body,
    parse_query,
    path_of,
    query_name,
    query_of,
    read_body,
    read_op,
    speaks_extension,
)

__all__ = [
    "ENDPOINTS",
    "Endpoint",
    "ErrorRule",
    "as_observed",
    "decode_problem",
    "decode_reply",
    "encode_body",
    "encode_problem",
    "encode_reply",
    "error_for",
    "fingerprint",
    "parse_body",
    "parse_query",
    "path_of",
    "problem_of",
    "query_name",
    "query_of",
    "read_body",
    "read_op",
    "rule_of",
    "speaks_extension",
    "with_remaining_ttl",
]
