"""What to say of a request that failed: the reason and the remedy, without a library's words."""

from __future__ import annotations

import socket
import ssl
from http import HTTPStatus
from http.client import HTTPException

from urllib3 import exceptions

_CHECK_ADDRESS = "check the address"
_TRY_AGAIN = "try again later"
_LOG_IN = "give the login as in http://user:password@host/image.png"
_CUT = "the transfer was cut off"
_REMEDIES = {
    401: _LOG_IN,
    403: "check that the login may read it",
    407: "give the proxy's login as in http_proxy=http://user:password@host:port",
    429: _TRY_AGAIN,
}


def refusal(status: int) -> str:
    """Return a clause that says why a server refuses a request.

    Args:
        status: of HTTP, such as 404.
    """
    try:
        reason = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:  # a status that no standard defines
        reason = f"HTTP status {status}"
    remedy = _REMEDIES.get(status, _TRY_AGAIN if status >= 500 else _CHECK_ADDRESS)
    return f"({reason}); {remedy}"


def is_timeout(error: BaseException) -> bool:
    """Return whether an error, of a proxy too, means that the time is over."""
    if isinstance(error, exceptions.ProxyError):
        return is_timeout(error.original_error)
    if isinstance(error, exceptions.NewConnectionError):  # it derives from urllib3's timeout
        return isinstance(error.__cause__, TimeoutError)
    return isinstance(error, (TimeoutError, exceptions.TimeoutError))


def explain(error: Exception) -> str:
    """Return a clause that says why a request failed, and what to do.

    Args:
        error: of urllib3, of the operating system, or a ValueError that is a clause itself.
    """
    reason, remedy = _reason(error)
    return f"({reason}); {remedy}"


def _reason(error: BaseException) -> tuple[str, str]:
    if isinstance(error, exceptions.ProxyError):
        return _of_proxy(error.original_error)
    if isinstance(error, exceptions.NameResolutionError):
        return "its host is not known", f"{_CHECK_ADDRESS} and the network"
    if isinstance(error, exceptions.NewConnectionError):
        return _of_system(error.__cause__), _CHECK_ADDRESS
    certificate = _inside(error, ssl.SSLCertVerificationError)
    if isinstance(certificate, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {certificate.verify_message}",
            "name the file of the certificates to trust with SSL_CERT_FILE",
        )
    if isinstance(error, exceptions.SSLError) or _inside(error, ssl.SSLError):
        return "the server does not speak TLS as expected", "check whether it is http or https"
    if isinstance(error, exceptions.DecodeError):
        return "its Content-Encoding cannot be undone", _TRY_AGAIN
    if isinstance(error, exceptions.ProtocolError):
        return _of_protocol(error)
    if isinstance(error, OSError):
        return _of_system(error), _CHECK_ADDRESS
    if isinstance(error, exceptions.LocationValueError):  # its message quotes the URL
        return "it is not a URL", _CHECK_ADDRESS
    if isinstance(error, exceptions.HTTPError):
        return "the server does not speak HTTP as expected", _CHECK_ADDRESS
    return str(error), _CHECK_ADDRESS


def _of_proxy(error: BaseException) -> tuple[str, str]:
    said = str(error)
    if "407" in said:
        return "407 Proxy Authentication Required", _REMEDIES[407]
    if said.startswith("Tunnel connection failed: "):
        return f"the proxy refuses: {said.partition(': ')[2]}", "check https_proxy and no_proxy"
    reason, _ = _reason(error)
    reason = reason.replace("its host", "the proxy's host").replace("its cert", "the proxy's cert")
    return f"the proxy cannot be used: {reason}", "check http_proxy and https_proxy"


def _of_protocol(error: exceptions.ProtocolError) -> tuple[str, str]:
    from http.client import BadStatusLine, IncompleteRead, LineTooLong, RemoteDisconnected

    if _inside(error, IncompleteRead):
        return _CUT, _TRY_AGAIN
    if _inside(error, RemoteDisconnected):
        return "the server closed the connection without a response", _TRY_AGAIN
    if system := _inside(error, OSError):
        return f"{_CUT}: {_of_system(system)}", _TRY_AGAIN
    if _inside(error, (BadStatusLine, LineTooLong, HTTPException)):
        return "the server does not speak HTTP as expected", _CHECK_ADDRESS
    return _CUT, _TRY_AGAIN


def _inside(
    error: BaseException, kind: type[BaseException] | tuple[type[BaseException], ...]
) -> BaseException | None:
    """Return the error of a kind that another one wraps, as its argument or its cause."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, kind):
            return one
        waiting += [argument for argument in one.args if isinstance(argument, BaseException)]
        waiting += [cause for cause in (one.__cause__, one.__context__) if cause is not None]
    return None


def _of_system(error: BaseException | None) -> str:
    """Return an operating system's reason without its number."""
    if isinstance(error, socket.gaierror):
        return "its host is not known"
    return getattr(error, "strerror", None) or "the server cannot be reached"
