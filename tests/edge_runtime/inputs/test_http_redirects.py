"""Redirects and logins of URLs."""

import base64
import socket
from itertools import count
from urllib.parse import quote

import pytest

from edge_runtime import ImageError
from edge_runtime.inputs.http import open_url, served_kind
from tests.conftest import run
from tests.edge_runtime.inputs.conftest import CONTENT
from tests.edge_runtime.inputs.servers import give, moved, serving

pytestmark = pytest.mark.usefixtures("no_proxy")


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


def test_a_redirect_may_be_in_utf_8(web):
    address, paths = web
    paths["/%C3%BC%20b.png"] = paths["/frog.png"]
    paths["/old.png"] = moved("/ü b.png".encode().decode("latin-1"))
    assert open_url(f"{address}/old.png").read() == CONTENT
