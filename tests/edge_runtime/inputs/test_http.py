"""Images over HTTP: how they are fetched, and why they cannot be."""

import gzip
import socket
import threading
import time
import zlib

import pytest

from edge_runtime import Classifier, ImageError, StreamError
from edge_runtime.inputs.http import open_url, served_kind
from tests.conftest import run
from tests.edge_runtime.inputs.conftest import CONTENT, FROG
from tests.edge_runtime.inputs.servers import drip_headers, give, serving

pytestmark = pytest.mark.usefixtures("no_proxy")


def test_an_image_from_the_web(web):
    address, _ = web
    with Classifier(allow_urls=True) as classifier:
        expected = classifier.classify(FROG)
        assert classifier.classify(f"{address}/frog.png") == expected
        assert classifier.classify(f"{address.replace('http', 'HTTP')}/frog.png") == expected
    result = run("edge-classify", f"{address}/frog.png", f"{address}/missing.png")
    assert result.returncode == 1
    assert result.stdout == f"{address}/frog.png: {expected[0].label} {expected[0].score:.3f}\n"
    assert result.stderr == (
        f"edge-classify: {address}/missing.png cannot be fetched (404 Not Found); "
        f"check the address.\n"
    )


def test_urls_are_refused_unless_they_are_allowed(web):
    address, paths = web
    asked = []
    paths["/frog.png"] = asked.append
    with Classifier() as classifier:
        with pytest.raises(
            ImageError, match=r"http://\*\*\*@.*frog\.png is a URL.*allow_urls=True"
        ):
            classifier.classify(f"{address}/frog.png".replace("//", "//me:secret@"))
        for url in (f"{address}/clip.mp4", "rtsp://127.0.0.1:9/x"):
            with pytest.raises(StreamError, match=r"is a URL.*allow_urls=True"):
                classifier.stream(url)
    assert not asked


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("a b.png", "/a%20b.png"),
        ("ä/ü.png", "/%C3%A4/%C3%BC.png"),
        ("100%.png", "/100%25.png"),
        ("a%20b.png?q=ü#part", "/a%20b.png?q=%C3%BC"),
        ("a\r\nX: y.png", "/aX:%20y.png"),
    ],
)
def test_spaces_and_letters_beyond_ascii_are_encoded(name, asked):
    seen = []

    def answer(request):
        seen.append(request.path)
        give(request, CONTENT)

    with serving(answer) as address:
        assert open_url(f"{address}/{name}").read() == CONTENT
    assert seen == [asked]


def raw_deflate(content):
    pack = zlib.compressobj(wbits=-15)
    return pack.compress(content) + pack.flush()


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("identity", CONTENT),
        ("gzip", gzip.compress(CONTENT)),
        ("X-Gzip", gzip.compress(CONTENT)),
        ("deflate", zlib.compress(CONTENT)),
        ("deflate", raw_deflate(CONTENT)),
        ("deflate, gzip", gzip.compress(zlib.compress(CONTENT))),
    ],
)
def test_an_encoding_is_undone(web, encoding, content):
    address, paths = web
    paths["/packed.png"] = lambda r: give(r, content, Content_Encoding=encoding)
    assert open_url(f"{address}/packed.png").read() == CONTENT


@pytest.mark.parametrize("encoding", ["x-own", "gzip, x-own"])
def test_an_unknown_encoding_is_named(web, encoding):
    address, paths = web
    paths["/odd.png"] = lambda r: give(r, CONTENT, Content_Encoding=encoding)
    with pytest.raises(ImageError, match=r"odd\.png comes with the Content-Encoding x-own"):
        open_url(f"{address}/odd.png")


def test_a_wrong_encoding_is_called_that(web):
    address, paths = web
    paths["/odd.png"] = lambda r: give(r, CONTENT, Content_Encoding="gzip")
    with pytest.raises(ImageError, match="its Content-Encoding cannot be undone"):
        open_url(f"{address}/odd.png")


def cut_in_chunks(request):
    request.protocol_version = "HTTP/1.1"
    request.close_connection = True
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.write(b"%x\r\n%s\r\n" % (100, CONTENT[:100]))


@pytest.mark.parametrize(
    "answer",
    [
        lambda r: give(r, CONTENT[:100], length=len(CONTENT)),
        lambda r: give(r, gzip.compress(CONTENT)[:100], length=9999, Content_Encoding="gzip"),
        cut_in_chunks,
    ],
    ids=["length", "gzip", "chunks"],
)
def test_a_transfer_that_is_cut_is_called_that(web, answer):
    address, paths = web
    paths["/cut.png"] = answer
    with pytest.raises(ImageError, match=r"cut\.png cannot be fetched \(the transfer was cut off"):
        open_url(f"{address}/cut.png")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:9/x.png", "Connection refused"),
        ("http://[x/x.png", "the host or its port is not valid"),
        ("http://127.0.0.1:port/x.png", "the host or its port is not valid"),
        ("http:///x.png", "it names no host"),
        ("http://a b/x.png", "a b is not a host's name"),
        ("http://" + "ü" * 70 + "/x.png", "ü" * 70 + " is not a host's name"),
    ],
)
def test_a_url_that_cannot_be_opened(url, reason):
    with pytest.raises(ImageError) as caught:
        open_url(url)
    assert str(caught.value) == f"{url} cannot be fetched ({reason}); check the address."


def test_what_does_not_speak_http_is_called_that():
    def answer(connection):
        with connection:
            connection.recv(1000)
            connection.sendall(b"220 mail.example ready\r\n")

    with socket.create_server(("127.0.0.1", 0)) as other:
        url = f"http://127.0.0.1:{other.getsockname()[1]}/x.png"
        threading.Thread(target=lambda: answer(other.accept()[0]), daemon=True).start()
        with pytest.raises(ImageError, match="the server does not speak HTTP as expected"):
            open_url(url)
        threading.Thread(target=lambda: other.accept()[0].close(), daemon=True).start()
        with pytest.raises(ImageError, match=r"closed the connection|reset"):
            open_url(url)


MP4 = b"\0\0\0\x20ftypisom" + bytes(600)
AVIF = b"\0\0\0\x20ftypavif" + bytes(600)


@pytest.mark.parametrize(
    ("kind", "content", "length", "expected"),
    [
        ("image/png", MP4, None, "image"),
        ("text/html", b"<html>", None, "image"),
        ("video/mp4", MP4, None, "video"),
        ("VIDEO/MP4; codecs=x", MP4, None, "video"),
        ("video/mp4", MP4, -1, "live"),
        ("multipart/x-mixed-replace;boundary=b", b"--b", None, "live"),
        ("application/octet-stream", MP4, None, "video"),
        ("application/octet-stream", AVIF, None, "image"),
        ("binary/octet-stream", CONTENT, None, "image"),
        ("", MP4, None, "video"),
    ],
)
def test_a_server_is_asked_what_it_sends(web, kind, content, length, expected):
    address, paths = web
    paths["/it"] = lambda r: give(r, content, kind=kind, length=length)
    assert served_kind(f"{address}/it") == expected


def test_what_cannot_be_asked_counts_as_an_image(web):
    address, paths = web
    paths["/slow"] = drip_headers
    assert served_kind(f"{address}/missing") == "image"
    begun = time.monotonic()
    assert served_kind(f"{address}/slow", timeout_s=0.5) == "image"
    assert time.monotonic() - begun < 2
