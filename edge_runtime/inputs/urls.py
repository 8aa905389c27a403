"""Parts of a URL: what a request needs, what its path says, and what a person may see of it.

A login is in none of what `shown` returns, so messages and results use that instead of the name.
This file opens no connection. It imports `urllib.parse` inside functions, because names of local
files do not need it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import NamedTuple

_WEB = ("http://", "https://")
_PORTS = {"http": 80, "https": 443}
# Scheme, what may hold a login, and the rest. Not compiled here: names of local files need neither.
_PARTS = r"([A-Za-z][A-Za-z0-9+.-]*:/*)([^/?#]*)((?s:.*))"
_PORT_MISSING = r"[^\[\]:]*:(?!\d*$)"  # a colon in front of anything but a port
# RFC 3986, section 3.3 and 3.4, and % because what is encoded stays as it is.
_SAFE = "!$&'()*+,;=:@/?%"


class Address(NamedTuple):
    """What a request needs of an http(s) URL.

    Attributes:
        url: the URL in ASCII, without login and fragment.
        scheme: http or https.
        host: name or IP address of the server, in ASCII.
        port: number of the server's port.
        login: user and password, as the bytes `user:password`; None if the URL has none.
    """

    url: str
    scheme: str
    host: str
    port: int
    login: bytes | None


def is_url(name: str) -> bool:
    """Return whether a name is an http(s) address."""
    return name.lower().startswith(_WEB)


def shown(name: str) -> str:
    """Return a name without its login: http://user:secret@host/ becomes http://***@host/.

    A password that is not percent-encoded may contain `@` or `/`. So a login ends at the last `@`
    of the authority. If the authority is not a host and a port, it ends at the last `@` of all.
    """
    if "@" not in name or not (found := re.fullmatch(_PARTS, name)):
        return name
    scheme, authority, rest = found.groups()
    if "@" not in authority and re.match(_PORT_MISSING, authority):
        authority, rest = authority + rest, ""
    if "@" not in authority:
        return name
    return f"{scheme}***@{authority.rpartition('@')[2]}{rest}"


def suffix_of(url: str) -> str:
    """Return the suffix of a URL's path, such as ".png", in lower case."""
    from urllib.parse import unquote, urlsplit

    try:
        path = urlsplit(url).path
    except ValueError:  # not a URL, which whoever opens it reports
        return ""
    return os.path.splitext(unquote(path))[1].lower()  # noqa: PTH122


def address(url: str) -> Address:
    """Return what a request needs of an http(s) URL.

    Spaces and letters beyond ASCII are percent-encoded as UTF-8, those of the host by IDNA.

    Raises:
        ValueError: it is not a URL with a host; the message is a clause for a person.
    """
    from urllib.parse import quote, unquote_to_bytes, urlsplit

    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError as exc:
        # The library's message would quote the login.
        raise ValueError("the host or its port is not valid") from exc
    if not host:
        raise ValueError("it names no host")
    try:
        host = host.encode("ascii" if host.isascii() else "idna").decode()
    except UnicodeError as exc:
        raise ValueError(f"{host} is not a host's name") from exc
    if not all(c.isalnum() or c in "-._:%" for c in host):
        raise ValueError(f"{host} is not a host's name")
    login = None
    if "@" in parts.netloc:
        user, colon, password = parts.netloc.rpartition("@")[0].partition(":")
        login = unquote_to_bytes(user) + colon.encode() + unquote_to_bytes(password)
        login += b"" if colon else b":"
    path, query = (_encoded(part, quote) for part in (parts.path or "/", parts.query))
    bracketed = f"[{host}]" if ":" in host else host
    explicit = "" if port is None else f":{port}"
    target = path + (f"?{query}" if query else "")
    return Address(
        url=f"{parts.scheme}://{bracketed}{explicit}{target}",
        scheme=parts.scheme,
        host=host,
        port=_PORTS.get(parts.scheme, 0) if port is None else port,
        login=login,
    )


def with_login(url: str) -> str:
    """Return a URL in ASCII that keeps its login, for a library that logs in by itself.

    A URL that cannot be parsed is returned unchanged.
    """
    from urllib.parse import quote

    try:
        at = address(url)
    except ValueError:
        return url
    if at.login is None:
        return at.url
    user, _, password = at.login.partition(b":")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return at.url.replace("://", f"://{login}@", 1)


def keeps_login(before: Address, after: Address) -> bool:
    """Return whether a redirect stays with the server that a login is for.

    The change from http to https on the usual ports counts as the same server.
    """
    if before.host != after.host:
        return False
    same = (before.scheme, before.port) == (after.scheme, after.port)
    secured = (before.scheme, before.port, after.scheme, after.port) == ("http", 80, "https", 443)
    return same or secured


def _encoded(part: str, quote: Callable[..., str]) -> str:
    """Percent-encode what may not stand in a URL; a % that encodes nothing too."""
    part = re.sub(r"%(?![0-9a-fA-F]{2})", "%25", part)
    return quote(os.fsencode(part), safe=_SAFE)
