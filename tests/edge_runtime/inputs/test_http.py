import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edge_runtime import Classifier, ImageError
from edge_runtime.inference import shipped
from edge_runtime.inputs import http
from edge_runtime.inputs.http import open_url, serves_frames
from edge_runtime.inputs.names import is_stream
from tests.conftest import run

CAT = shipped.samples()["cat"]


class Web(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/missing.png":
            self.send_error(404)
            return
        if self.path == "/elsewhere.png":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
            return
        if self.path != "/slow-to-begin.png":
            self.send_response(200)
            kind = "multipart/x-mixed-replace" if self.path == "/camera" else "image/png"
            self.send_header("Content-Type", kind)
            self.end_headers()
        try:
            if self.path == "/endless.png":
                while True:
                    self.wfile.write(bytes(1 << 16))
            if self.path == "/slow-to-begin.png":
                for _ in range(100):
                    self.wfile.write(b"X")
                    time.sleep(0.05)
            if self.path == "/slow.png":
                for _ in range(100):
                    self.wfile.write(b"x")
                    time.sleep(0.05)
            self.wfile.write(CAT.read_bytes())
        except OSError:
            return

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def web():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_image_from_the_web(web):
    expected = Classifier().classify(CAT)
    assert Classifier().classify(f"{web}/cat.png") == expected
    assert Classifier().classify(f"{web.replace('http', 'HTTP')}/cat.png") == expected
    result = run("edge-classify", f"{web}/cat.png", f"{web}/missing.png")
    assert result.returncode == 1
    assert result.stdout == f"{web}/cat.png: {expected[0].label} {expected[0].score:.3f}\n"
    assert result.stderr == (
        f"edge-classify: {web}/missing.png cannot be fetched (Not Found); check the address.\n"
    )


def test_a_download_has_a_size_limit(web, monkeypatch):
    monkeypatch.setattr(http, "MAX_CONTENT_BYTES", 1 << 20)
    with pytest.raises(ImageError, match=r"endless\.png is larger than 1 MiB"):
        open_url(f"{web}/endless.png")


@pytest.mark.parametrize("name", ["slow.png", "slow-to-begin.png"])
def test_the_time_limit_is_that_of_the_whole_download(web, name):
    begun = time.monotonic()
    with pytest.raises(ImageError, match=rf"{name} took more than 0\.5 s; try again later"):
        open_url(f"{web}/{name}", timeout_s=0.5)
    assert time.monotonic() - begun < 2


def test_a_server_is_asked_whether_it_sends_frames(web):
    assert serves_frames(f"{web}/camera")
    assert is_stream(f"{web}/camera")
    assert not serves_frames(f"{web}/cat.png")
    assert not serves_frames(f"{web}/missing.png")
    begun = time.monotonic()
    assert not serves_frames(f"{web}/slow-to-begin.png", timeout_s=0.5)
    assert time.monotonic() - begun < 2


def test_a_redirect_does_not_lead_to_a_local_file(web):
    with pytest.raises(ImageError, match=r"elsewhere\.png cannot be fetched"):
        open_url(f"{web}/elsewhere.png")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:9/x.png", "Connection refused"),
        ("http://[x/x.png", "Invalid IPv6 URL"),
        ("http://127.0.0.1:port/x.png", "nonnumeric port: 'port'"),
    ],
)
def test_a_url_that_cannot_be_opened(url, reason):
    with pytest.raises(ImageError) as caught:
        open_url(url)
    assert str(caught.value) == f"{url} cannot be fetched ({reason}); check the address."
