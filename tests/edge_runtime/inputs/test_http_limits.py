"""Limits of a download: its size and its time."""

import gzip
import socket
import threading
import time

import pytest

from edge_runtime import ImageError
from edge_runtime.inputs import http
from edge_runtime.inputs.http import open_url
from tests.edge_runtime.inputs.servers import drip_headers, give

pytestmark = pytest.mark.usefixtures("no_proxy")


def drip(request):
    request.send_response(200)
    request.end_headers()
    for _ in range(200):
        request.wfile.write(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_download_has_a_size_limit(web, monkeypatch, encoding):
    address, paths = web
    monkeypatch.setattr(http, "MAX_CONTENT_BYTES", 1 << 20)
    large = bytes(4 << 20)
    content = gzip.compress(large) if encoding == "gzip" else large
    paths["/large.png"] = lambda r: give(r, content, Content_Encoding=encoding)
    with pytest.raises(ImageError, match=r"large\.png is larger than 1 MiB"):
        open_url(f"{address}/large.png")


@pytest.mark.parametrize("slow", [drip, drip_headers])
def test_the_time_limit_holds_for_servers_that_drip(web, slow):
    address, paths = web
    paths["/slow.png"] = slow
    begun = time.monotonic()
    with pytest.raises(ImageError, match=r"slow\.png took more than 0\.5 s; try again later"):
        open_url(f"{address}/slow.png", timeout_s=0.5)
    assert time.monotonic() - begun < 2
    assert_no_thread_is_left()


def test_the_time_limit_holds_for_all_redirects_together(web):
    address, paths = web

    def slowly_onward(request):
        time.sleep(0.3)
        give(request, code=302, Location="/next.png")

    paths["/next.png"] = slowly_onward
    begun = time.monotonic()
    with pytest.raises(ImageError, match=r"took more than 0\.5 s"):
        open_url(f"{address}/next.png", timeout_s=0.5)
    assert time.monotonic() - begun < 2


def test_the_time_limit_holds_for_the_look_up_of_a_name(monkeypatch):
    over = threading.Event()

    def resolver(*arguments, **options):
        over.wait(10)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    begun = time.monotonic()
    with pytest.raises(ImageError, match=r"took more than 0\.5 s"):
        open_url("http://images.example/frog.png", timeout_s=0.5)
    assert time.monotonic() - begun < 2
    over.set()
    assert_no_thread_is_left()


def test_the_time_limit_holds_for_all_addresses_together(monkeypatch):
    """Five addresses that accept no connection, because their queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))] * 5
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **o: found)
        begun = time.monotonic()
        with pytest.raises(ImageError, match=r"took more than 0\.5 s"):
            open_url("http://images.example/frog.png", timeout_s=0.5)
        assert time.monotonic() - begun < 2
        for filler in fillers:
            filler.close()


def assert_no_thread_is_left():
    end = time.monotonic() + 5
    while any(t.name == "edge-http" for t in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.02)
