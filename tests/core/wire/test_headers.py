from runcycles.wire import headers


def test_the_headers_are_called_as_the_protocol_calls_them() -> None:
    names = {name: value for name, value in vars(headers).items() if name.isupper()}
    assert names.pop("OBSERVED") == "X-Runcycles-Observed", "our own one says whose it is"
    assert names == {
        "API_KEY": "X-Cycles-API-Key",
        "ADMIN_KEY": "X-Admin-API-Key",
        "IDEMPOTENCY_KEY": "X-Idempotency-Key",
        "REQUEST_ID": "X-Request-Id",
        "TRACE_ID": "X-Cycles-Trace-Id",
        "TRACEPARENT": "traceparent",
        "TENANT": "X-Cycles-Tenant",
        "RATE_LIMIT_REMAINING": "X-RateLimit-Remaining",
        "RATE_LIMIT_RESET": "X-RateLimit-Reset",
        "RETRY_AFTER": "Retry-After",
        "EXTENSIONS": "X-Cycles-Extensions",
        "EXTENSION_VERSION": "0.1.26",
    }
