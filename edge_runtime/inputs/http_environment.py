"""Proxies and certificates, which the environment names as for other HTTP clients.

    http_proxy, https_proxy, all_proxy    the proxy for such addresses, or for all
    no_proxy                              hosts, domains and networks that need none
    REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE    a file or folder of certificates in place of the system's
    SSL_CERT_FILE, SSL_CERT_DIR           the same, read by OpenSSL

The names may be in capital letters. `urllib.request` also knows the settings of macOS and Windows.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.inputs.urls import Address, address

if TYPE_CHECKING:
    import ssl

_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Proxy(NamedTuple):
    """A proxy's URL without its login, and the headers that log in."""

    url: str
    headers: dict[str, str]


def proxy_for(at: Address) -> Proxy | None:
    """Return the proxy for an address, or None if it is reached directly.

    Raises:
        ValueError: the proxy is not an HTTP proxy; the message is a clause for a person.
    """
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    named = proxies.get(at.scheme) or proxies.get("all")
    if not named or proxy_bypass(f"{at.host}:{at.port}") or _in_network(at, proxies.get("no", "")):
        return None
    if "://" not in named:
        named = f"http://{named}"
    scheme = named.partition(":")[0].lower()
    if scheme not in ("http", "https"):
        raise ValueError(f"the proxy that {at.scheme}_proxy names is {scheme}, not http or https")
    try:
        proxy = address(named)
    except ValueError as exc:
        raise ValueError(f"the proxy that {at.scheme}_proxy names is not a URL: {exc}") from exc
    headers = {}
    if proxy.login is not None:
        import base64

        headers["Proxy-Authorization"] = "Basic " + base64.b64encode(proxy.login).decode()
    return Proxy(proxy.url, headers)


def certificates() -> ssl.SSLContext:
    """Return the certificates that servers must be signed by.

    Raises:
        ValueError: the environment names a file that cannot be read; the message is a clause.
    """
    variable = next((name for name in _BUNDLES if os.environ.get(name)), "")
    where = os.environ.get(variable, "")
    return _context(variable, where, os.environ.get("SSL_CERT_FILE", ""))


@lru_cache(maxsize=4)  # reading them takes longer than a request
def _context(variable: str, where: str, cert_file: str) -> ssl.SSLContext:
    import ssl

    # OpenSSL reads SSL_CERT_FILE without complaint if it is missing, and then trusts no server.
    if not where and cert_file and not os.path.isfile(cert_file):  # noqa: PTH113
        raise ValueError(f"SSL_CERT_FILE names {cert_file}, which is not a file")
    if not where:
        return ssl.create_default_context()
    try:
        if os.path.isdir(where):  # noqa: PTH112
            return ssl.create_default_context(capath=where)
        return ssl.create_default_context(cafile=where)
    except OSError as exc:  # SSLError is one
        raise ValueError(f"{variable} names {where}, which holds no certificates") from exc


def _in_network(at: Address, no_proxy: str) -> bool:
    """Return whether an IP address is in a network of `no_proxy`, such as 10.0.0.0/8."""
    import ipaddress

    try:
        host = ipaddress.ip_address(at.host)
    except ValueError:
        return False
    for entry in no_proxy.split(","):
        try:
            if host in ipaddress.ip_network(entry.strip(), strict=False):
                return True
        except ValueError:  # a name
            continue
    return False
