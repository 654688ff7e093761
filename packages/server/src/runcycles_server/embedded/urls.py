"""`embedded:` URLs: an authority in one line of configuration.

`embedded:?tenant=demo&budget=5usd` lives in memory, `embedded:///budget.db` in a file next to the
program, `embedded:////srv/budget.db` in a file elsewhere.
"""

from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from runcycles.errors import ConfigurationError
from runcycles_server.embedded.authority import DEFAULT_TENANT, EmbeddedAuthority
from runcycles_server.stores.opening import MEMORY, SQLITE

SCHEME: Final = "embedded"
FORMS: Final = (
    "embedded:?tenant=demo&budget=5usd, embedded:///relative.db or embedded:////absolute.db"
)
PARAMETERS: Final = ("tenant", "budget")


def open_embedded(url: str) -> EmbeddedAuthority:
    """The authority under a URL; the same URL is the same budget everywhere in this process.

    Raises:
        ConfigurationError: the URL or a part of it is wrong.
        StoreError: the file cannot be used; the sentence says why.
    """
    parts = urlsplit(url)
    if parts.scheme != SCHEME or parts.netloc or parts.fragment:
        raise ConfigurationError(f"{url!r} names no embedded authority; write {FORMS}")
    given = _parameters(url, parts.query)
    tenant, budget = given.get("tenant", DEFAULT_TENANT), given.get("budget")
    if parts.path:
        return EmbeddedAuthority(store=_store(url, parts.path), tenant=tenant, budget=budget)
    if budget is None:
        raise ConfigurationError(
            f"{url!r} would deny everything; give it a budget, e.g. embedded:?budget=5usd"
        )
    return EmbeddedAuthority(store=MEMORY, tenant=tenant, budget=budget, name=url)


def _store(url: str, path: str) -> str:
    if not path.startswith("/") or path.endswith("/"):
        raise ConfigurationError(f"{url!r} names no file; write {FORMS}")
    return SQLITE + unquote(path[1:])


def _parameters(url: str, query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    given = dict(pairs)
    for name in given:
        if name not in PARAMETERS:
            known = " and ".join(PARAMETERS)
            raise ConfigurationError(f"{url!r} sets {name}; only {known} can be set here")
    if len(given) != len(pairs):
        raise ConfigurationError(f"{url!r} sets something twice")
    return given
