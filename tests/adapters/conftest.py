"""What the tests of all adapters share: no framework phones home, and all run on asyncio."""

import os

# Read by the frameworks when they are imported, so set before any test module is.
os.environ.update(
    OPENAI_AGENTS_DISABLE_TRACING="1",
    LANGSMITH_TRACING="false",
    CREWAI_DISABLE_TELEMETRY="true",
    CREWAI_TRACING_ENABLED="false",
    CREWAI_TESTING="true",
    OTEL_SDK_DISABLED="true",
)

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
