"""The proxies that the environment names, as requests reads it (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY)."""

from __future__ import annotations

import importlib.util
from urllib.parse import urlsplit

from clusterimage.transport.failures import redact
from clusterimage.values.errors import FetchError, shown

_OTHERWISE = "name an HTTP proxy in HTTPS_PROXY, or leave that host out of it with NO_PROXY"
_SOCKS = ("socks4", "socks4a", "socks5", "socks5h")


def check(url: str) -> None:
    """Raise FetchError if requests cannot use the proxy for `url`: it says less, or shows the password."""
    from requests.utils import get_environ_proxies, select_proxy

    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return
    scheme, mark, rest = proxy.partition("://")
    scheme, rest = (scheme.lower(), rest) if mark else ("http", proxy)
    where = shown(f"{scheme}://{rest.rpartition('@')[2]}", most=100)
    if scheme in _SOCKS and importlib.util.find_spec("socks") is None:
        problem, hint = (
            "a SOCKS proxy, which needs PySocks",
            f"pip install PySocks beside clusterimage; or {_OTHERWISE}",
        )
    elif scheme not in ("http", "https", *_SOCKS):
        problem, hint = "which is no kind of proxy that is known", f"http://, https:// or socks5://; or {_OTHERWISE}"
    elif not _is_address(f"{scheme}://{rest}"):
        problem, hint = "which is no address", _OTHERWISE
    else:
        return
    raise FetchError(f"{redact(url)}: is behind {where}, {problem}", hint=hint)


def _is_address(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        return bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
