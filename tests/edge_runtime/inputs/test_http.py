import base64
import gzip
import socket
import threading
import time
import zlib
from itertools import count
from urllib.parse import quote

import pytest

from edge_runtime import Classifier, ImageError, StreamError
from edge_runtime.inference import shipped
from edge_runtime.inputs import http
from edge_runtime.inputs.http import open_url, served_kind
from tests.conftest import run
from tests.edge_runtime.inputs.servers import PROXY_VARIABLES, give, serving

FROG = shipped.samples()["frog"]
CONTENT = FROG.read_bytes()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def web():
    """Serve what a test puts under a path: a function that answers the request."""
    paths = {"/frog.png": lambda request: give(request, CONTENT)}

    def answer(request):
        paths.get(request.path.partition("?")[0], lambda r: give(r, code=404))(request)

    with serving(answer) as address:
        yield address, paths


def moved(location, code=302):
    return lambda request: give(request, code=code, Location=location)


def drip(request):
    request.send_response(200)
    request.end_headers()
    for _ in range(200):
        request.wfile.write(b"x")
        time.sleep(0.05)


def drip_headers(request):
    for _ in range(200):
        request.wfile.write(b"X")
        time.sleep(0.05)


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


PASSWORDS = ["opensesame", "p@s:s/w%rdü", ""]


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_login_is_sent_and_follows_redirects_on_the_same_server(web, password):
    address, paths = web
    wanted = "Basic " + base64.b64encode(f"camera:{password}".encode()).decode()

    def for_members(request):
        if request.headers.get("Authorization") == wanted:
            give(request, CONTENT)
        else:
            give(request, code=401, WWW_Authenticate='Basic realm="images"')

    paths["/private.png"] = for_members
    paths["/moved.png"] = moved("/private.png")
    with_login = address.replace("//", f"//camera:{quote(password, safe='')}@")
    for name in ("private", "moved"):
        assert open_url(f"{with_login}/{name}.png").read() == CONTENT
    with pytest.raises(ImageError, match=r"\(401 Unauthorized\); give the login as in http://user"):
        open_url(f"{address}/private.png")


def test_a_login_does_not_follow_to_another_server(web):
    address, paths = web
    seen = []

    def elsewhere(request):
        seen.append(request.headers.get("Authorization"))
        give(request, CONTENT)

    with serving(elsewhere) as other:
        paths["/away.png"] = moved(f"{other}/open.png")
        with_login = address.replace("//", "//camera:secret@")
        assert open_url(f"{with_login}/away.png").read() == CONTENT
    assert seen == [None]


@pytest.mark.parametrize(
    "url",
    [
        "http://camera:{}@127.0.0.1:9/x.png",
        "http://camera:{}@[x/x.png",
        "http://camera:{}@127.0.0.1:port/x.png",
        "http://camera:{}/more@127.0.0.1/x.png",  # a slash that should be %2F
        "rtsp://camera:{}@127.0.0.1:9/x",
        "http://camera:{}@127.0.0.1:9/clip.mp4",
    ],
)
def test_no_output_shows_a_login(url):
    result = run("edge-classify", "--json", url.format("secretword"))
    assert result.returncode == 1
    assert "***@" in result.stderr
    assert "secretword" not in result.stdout + result.stderr
    assert "camera" not in result.stdout + result.stderr


def test_results_do_not_show_a_login_and_can_be_resumed(web, tmp_path):
    address, _ = web
    out = tmp_path / "results.jsonl"
    url = f"{address}/frog.png".replace("//", "//camera:secretword@")
    for more in ([], ["--resume"]):
        result = run("edge-classify", "--json", "--out", out, *more, url)
        assert result.returncode == 0, result.stderr
    assert "(1 kept)" in result.stderr
    assert "***@127" in out.read_text()
    assert "secretword" not in out.read_text()


@pytest.mark.parametrize("through", ["/cat", "/frog.png", "/twice.png"])
@pytest.mark.parametrize("scheme", ["ftp", "gopher", "file"])
def test_a_redirect_leads_only_to_http(web, scheme, through):
    address, paths = web
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.2)
        target = f"{scheme}://127.0.0.1:{other.getsockname()[1]}/x.png"
        paths["/cat"] = paths["/frog.png"] = moved(target)
        paths["/twice.png"] = moved("/frog.png")
        assert served_kind(address + through) == "image"
        with pytest.raises(ImageError, match=rf"redirects to {scheme}:.* only http\(s\)"):
            open_url(address + through)
        with pytest.raises(TimeoutError):
            other.accept()


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(web, code):
    address, paths = web
    paths["/old.png"] = moved("frog.png", code)
    assert open_url(f"{address}/old.png").read() == CONTENT


def test_a_redirect_without_end_is_refused(web):
    address, paths = web
    numbers = count()
    paths["/round.png"] = lambda r: give(r, code=302, Location=f"/round.png?{next(numbers)}")
    with pytest.raises(ImageError, match=r"round\.png redirects more than 10 times"):
        open_url(f"{address}/round.png")
    paths["/lost.png"] = lambda r: give(r, code=302)
    with pytest.raises(ImageError, match=r"\(302 Found\)"):
        open_url(f"{address}/lost.png")
    paths["/bad.png"] = moved("http://[x/")
    with pytest.raises(ImageError, match=r"redirects to .* not a URL"):
        open_url(f"{address}/bad.png")


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


def test_a_redirect_may_be_in_utf_8(web):
    address, paths = web
    paths["/%C3%BC%20b.png"] = paths["/frog.png"]
    paths["/old.png"] = moved("/ü b.png".encode().decode("latin-1"))
    assert open_url(f"{address}/old.png").read() == CONTENT


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
