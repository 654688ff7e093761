"""Reading ops travel in the query and in the path."""

import pytest

from runcycles import wire
from runcycles.errors import InvalidRequestError
from runcycles.ops import Balances, GetReservation


def test_a_truth_in_a_query_is_written_in_small_letters() -> None:
    assert wire.query_of(Balances(tenant="acme", include_children=True)) == {
        "tenant": "acme",
        "include_children": "true",
        "limit": "50",
    }


def test_the_path_names_the_reservation_whatever_the_query_says() -> None:
    op = wire.parse_query(GetReservation, {"reservation_id": "other"}, reservation_id="mine")
    assert op == GetReservation(reservation_id="mine")


def test_a_long_id_in_a_path_is_refused() -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        wire.parse_query(GetReservation, {}, reservation_id="r" * 129)
    assert refusal.value.details == {"field": "reservation_id"}
