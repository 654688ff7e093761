"""The authority matrix: every endpoint, asked by everybody, answers only whom it should.

Rows are those of the server's own table. What a cell expects follows from the row; whoever is
refused has changed nothing.
"""

import pytest

from runcycles_server.http.endpoint import Endpoint
from runcycles_server.http.routes import ENDPOINTS
from tests.server.authority.asks import ASKS
from tests.server.authority.expectations import EXCEPTIONS
from tests.server.authority.matrix import faults


def test_every_endpoint_has_its_row_in_the_matrix() -> None:
    operations = {row.operation for row in ENDPOINTS}
    assert ASKS.keys() == operations
    assert {operation for operation, _ in EXCEPTIONS} <= operations


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.operation)
def test_an_endpoint_answers_only_whom_it_should(row: Endpoint) -> None:
    assert faults([row]) == []
