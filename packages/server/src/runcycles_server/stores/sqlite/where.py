"""Conditions and orders of our queries: names are ours, values are always bound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runcycles_server.stores.queries import SortValue, Window

HOLDS_SEGMENT: Final = "instr('/' || {} || '/', '/' || ? || '/') > 0"
"""Whole segments only: `agent:bot` is not in `tenant:acme/agent:bot-2`."""


@dataclass(frozen=True, slots=True)
class Order:
    """An ORDER BY clause: a column, and where rows are equal in it, their ids."""

    column: str
    id_column: str
    descending: bool

    def __str__(self) -> str:
        return f"ORDER BY {self.column} {'DESC' if self.descending else 'ASC'}, {self.id_column}"


class Where:
    """A WHERE clause that grows."""

    def __init__(self) -> None:
        self.terms: list[str] = []
        self.values: list[Any] = []

    def __str__(self) -> str:
        return f"WHERE {' AND '.join(self.terms)}" if self.terms else ""

    def add(self, term: str, *values: Any) -> None:
        """One more condition."""
        self.terms.append(term)
        self.values.extend(values)

    def also(self, other: "Where") -> None:
        """All conditions of another one."""
        self.terms.extend(other.terms)
        self.values.extend(other.values)

    def equals(self, column: str, value: str | None) -> None:
        """The column has this value; None asks for nothing."""
        if value is not None:
            self.add(f"{column} = ?", value)

    def is_one_of(self, column: str, values: Sequence[str]) -> None:
        """The column has one of these values; no values ask for nothing."""
        if values:
            self.add(f"{column} IN ({', '.join('?' * len(values))})", *values)

    def is_none_of(self, column: str, values: Sequence[str]) -> None:
        """The column has none of these values, or none at all."""
        if values:
            marks = ", ".join("?" * len(values))
            self.add(f"({column} IS NULL OR {column} NOT IN ({marks}))", *values)

    def begins(self, column: str, beginning: str | None, *, is_wanted: bool = True) -> None:
        """The column begins like this, or does not if that is wanted; None asks for nothing."""
        if beginning is not None:
            comparison = "=" if is_wanted else "<>"
            term = f"substr({column}, 1, length(?)) {comparison} ?"
            self.add(term, beginning, beginning)

    def holds(self, column: str, segments: Mapping[str, str]) -> None:
        """The scope in this column holds every segment."""
        for level, value in segments.items():
            self.add(HOLDS_SEGMENT.format(column), f"{level}:{value}")

    def passes(self, column: str, scope_filter: tuple[str, ...]) -> None:
        """The scope in this column, or its row's tenant, is what one entry of the filter names."""
        terms: list[str] = []
        values: list[str] = []
        for entry in scope_filter:
            level, _, value = entry.lower().partition(":")
            if level == "tenant":
                terms.append("? IN ('*', tenant)")
                values.append(value)
            elif value == "*":
                terms.append(f"instr('/' || {column}, '/' || ? || ':') > 0")
                values.append(level)
            else:
                terms.append(HOLDS_SEGMENT.format(column))
                values.append(f"{level}:{value}")
        if terms:
            self.add(f"({' OR '.join(terms)})", *values)

    def lies_in(self, column: str, window: Window) -> None:
        """The number in this column lies in the window."""
        if window.lowest is not None:
            self.add(f"{column} >= ?", window.lowest)
        if window.highest is not None:
            self.add(f"{column} <= ?", window.highest)

    def mentions(self, columns: Sequence[str], text: str | None) -> None:
        """One of the columns holds this text, in capital or small letters; None asks nothing."""
        if text is not None:
            found = " OR ".join(f"instr(lower({column}), lower(?))" for column in columns)
            self.add(f"({found})", *[text] * len(columns))

    def follows(self, order: Order, after: tuple[SortValue, str] | None) -> None:
        """The row comes after the last one of the previous page, if there was one."""
        if after is not None:
            value, last_id = after
            # Two terms, since an index finds the place by the first one and not by an OR.
            self.add(f"{order.column} {'<=' if order.descending else '>='} ?", value)
            self.add(f"({order.column} <> ? OR {order.id_column} > ?)", value, last_id)
