"""The kinds of values that operators send, with the limits that the governance protocol sets."""

from typing import Annotated, Final, Literal

from annotated_types import MaxLen, MinLen
from pydantic import StringConstraints

TenantId = Annotated[str, StringConstraints(pattern="^[a-z0-9-]+$", min_length=3, max_length=64)]
Name = Annotated[str, MinLen(1), MaxLen(256)]
Description = Annotated[str, MaxLen(1024)]
Reason = Annotated[str, MaxLen(512)]
Labels = Annotated[dict[str, str], MaxLen(32)]
Iso = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
ScopeText = Annotated[str, MinLen(1), MaxLen(1024)]
Search = Annotated[str, MaxLen(128)]
SortDirection = Literal["asc", "desc"]

DEFAULT_PAGE_SIZE: Final = 50
