"""The page about the client says everything, and the same as the code."""

from dataclasses import fields
from pathlib import Path

import pytest

import runcycles
from runcycles import CyclesConfig, CyclesError, settlement
from runcycles.questions import Guarding

README = (Path(__file__).parents[3] / "packages/core/README.md").read_text(encoding="utf-8")
ERRORS = sorted(
    name
    for name in runcycles.__all__
    if isinstance(found := getattr(runcycles, name), type) and issubclass(found, CyclesError)
)


@pytest.mark.parametrize("setting", [field.name for field in fields(CyclesConfig)])
def test_every_setting_is_explained(setting: str) -> None:
    assert f"`CYCLES_{setting.upper()}`" in README


@pytest.mark.parametrize("setting", ["connect_timeout", "read_timeout", "retry_max_delay"])
def test_the_defaults_are_the_codes(setting: str) -> None:
    default = {field.name: field.default for field in fields(CyclesConfig)}[setting]
    assert f"| `CYCLES_{setting.upper()}` | `{default}` |" in README


@pytest.mark.parametrize("error", [name for name in ERRORS if name != "CyclesProtocolError"])
def test_every_error_is_explained(error: str) -> None:
    assert f"`{error}`" in README


@pytest.mark.parametrize("option", sorted(Guarding.__annotations__))
def test_every_option_of_a_guard_is_explained(option: str) -> None:
    assert f"`{option}=`" in README


def test_the_table_of_settlement_is_the_codes() -> None:
    assert settlement.__doc__ is not None
    rows = [line for line in settlement.__doc__.splitlines() if line.startswith("|")]
    assert len(rows) == 12
    assert "\n".join(rows) in README


def test_the_public_names_are_sorted_and_there() -> None:
    assert runcycles.__all__ == sorted(runcycles.__all__)
    assert all(hasattr(runcycles, name) for name in runcycles.__all__)
