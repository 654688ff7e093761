"""The names of the protocol's headers."""

from typing import Final

API_KEY: Final = "X-Cycles-API-Key"
ADMIN_KEY: Final = "X-Admin-API-Key"
IDEMPOTENCY_KEY: Final = "X-Idempotency-Key"
REQUEST_ID: Final = "X-Request-Id"
TRACE_ID: Final = "X-Cycles-Trace-Id"
TRACEPARENT: Final = "traceparent"
TENANT: Final = "X-Cycles-Tenant"
RATE_LIMIT_REMAINING: Final = "X-RateLimit-Remaining"
RATE_LIMIT_RESET: Final = "X-RateLimit-Reset"
RETRY_AFTER: Final = "Retry-After"
EXTENSIONS: Final = "X-Cycles-Extensions"
OBSERVED: Final = "X-Runcycles-Observed"
"""`true` on the answer of an authority that only observes; ours, and nobody else's."""

EXTENSION_VERSION: Final = "0.1.26"
"""Sent by clients that understand `deny_detail`; plain clients reject additional keys."""
