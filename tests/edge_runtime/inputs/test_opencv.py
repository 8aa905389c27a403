import socket
import time

import pytest

from edge_runtime import StreamError
from edge_runtime.inputs.opencv import open_capture
from tests.edge_runtime.inputs.servers import give, serving

cv2 = pytest.importorskip("cv2", reason="needs the extra `camera`")


@pytest.mark.parametrize("name", ["ftp://{}/x.mp4", "tcp://{}/x.mp4", "http:{}/x.mp4"])
def test_no_name_of_a_file_leads_into_the_network(name):
    """FFmpeg takes names of its own protocols for addresses."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.2)
        with pytest.raises(StreamError, match="cannot be opened; check its name"):
            open_capture(name.format(f"127.0.0.1:{other.getsockname()[1]}"))
        with pytest.raises(TimeoutError):
            other.accept()


@pytest.mark.parametrize("url", ["http://camera.example/clip.mp4", "rtsp://camera.example/x"])
def test_the_caller_does_not_wait_for_the_look_up_of_a_name(monkeypatch, url):
    monkeypatch.setattr(cv2, "VideoCapture", lambda *arguments: time.sleep(3))
    begun = time.monotonic()
    with pytest.raises(StreamError, match="cannot be opened; check its address and the network"):
        open_capture(url, timeout_s=0.3)
    assert time.monotonic() - begun < 2


def test_a_login_is_sent_and_not_shown(monkeypatch):
    monkeypatch.delenv("http_proxy", raising=False)
    seen = []

    def answer(request):
        seen.append((request.path, request.headers.get("Authorization")))
        give(request, code=401, WWW_Authenticate='Basic realm="films"')

    with serving(answer) as address:
        url = address.replace("//", "//me:secretword@") + "/a clip.mp4"
        with pytest.raises(StreamError) as caught:
            open_capture(url, timeout_s=5)
    assert "secretword" not in str(caught.value)
    assert "***@127" in str(caught.value)
    assert ("/a%20clip.mp4", "Basic bWU6c2VjcmV0d29yZA==") in seen


def test_a_redirect_of_a_video_leads_only_to_http(monkeypatch):
    monkeypatch.delenv("http_proxy", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.2)
        target = f"ftp://127.0.0.1:{other.getsockname()[1]}/x.mp4"
        with (
            serving(lambda request: give(request, code=302, Location=target)) as address,
            pytest.raises(StreamError, match="cannot be opened"),
        ):
            open_capture(f"{address}/clip.mp4", timeout_s=5)
        with pytest.raises(TimeoutError):
            other.accept()
