import base64
import shutil
import ssl
import subprocess

import pytest

from edge_runtime import ImageError
from edge_runtime.inputs.http import open_url
from edge_runtime.inputs.http_environment import certificates, proxy_for
from edge_runtime.inputs.urls import address
from tests.edge_runtime.inputs.servers import PROXY_VARIABLES, give, serving

CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in (*PROXY_VARIABLES, *CERTIFICATES):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def proxy(monkeypatch):
    """Answer every request as a proxy, and note what was asked."""
    seen = []

    def answer(request):
        seen.append((request.command, request.path, request.headers.get("Proxy-Authorization")))
        if request.command == "CONNECT":
            give(request, code=407)
        else:
            give(request, b"through the proxy")

    with serving(answer) as url:
        yield url, seen


def test_a_proxy_is_used(proxy, monkeypatch):
    url, seen = proxy
    monkeypatch.setenv("http_proxy", url.replace("//", "//me:p%40ss@"))
    assert open_url("http://images.example/cat.png").read() == b"through the proxy"
    login = "Basic " + base64.b64encode(b"me:p@ss").decode()
    assert seen == [("GET", "http://images.example/cat.png", login)]


def test_a_proxy_that_refuses_is_named_as_the_reason(proxy, monkeypatch):
    url, seen = proxy
    monkeypatch.setenv("HTTPS_PROXY", url)
    with pytest.raises(ImageError, match=r"\(407 Proxy Authentication Required\); give the proxy"):
        open_url("https://images.example/cat.png")
    assert seen == [("CONNECT", "images.example:443", None)]


def test_a_proxy_that_is_away_is_named_as_the_reason(monkeypatch):
    monkeypatch.setenv("all_proxy", "http://me:secretword@127.0.0.1:9")
    with pytest.raises(ImageError) as caught:
        open_url("http://images.example/cat.png")
    assert str(caught.value) == (
        "http://images.example/cat.png cannot be fetched (the proxy cannot be used: "
        "Connection refused); check http_proxy and https_proxy."
    )


@pytest.mark.parametrize("proxy_url", ["socks5://host:1080", "http://", "http://host:port"])
def test_a_proxy_that_cannot_be_one(monkeypatch, proxy_url):
    monkeypatch.setenv("http_proxy", proxy_url)
    with pytest.raises(ImageError, match="the proxy that http_proxy names is"):
        open_url("http://images.example/cat.png")


@pytest.mark.parametrize(
    ("url", "no_proxy", "bypassed"),
    [
        ("http://a.example/x", "", False),
        ("http://a.example/x", "example", True),
        ("http://a.example/x", ".example,other", True),
        ("http://a.example/x", "b.example", False),
        ("http://a.example/x", "*", True),
        ("http://a.example:8080/x", "a.example:8080", True),
        ("http://10.1.2.3/x", "10.0.0.0/8", True),
        ("http://11.1.2.3/x", "localhost, 10.0.0.0/8", False),
        ("http://[::1]/x", "::1", True),
    ],
)
def test_no_proxy_lists_exceptions(monkeypatch, url, no_proxy, bypassed):
    monkeypatch.setenv("http_proxy", "proxy.example:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    found = proxy_for(address(url))
    assert (found is None) is bypassed
    if found is not None:
        assert found.url == "http://proxy.example:3128/"


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """A certificate for 127.0.0.1 that no system trusts, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("company")
    certificate, key = folder / "ca.pem", folder / "key.pem"
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=company"]
    options += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(["openssl", "req", *options], check=True, capture_output=True)
    return certificate, key


@pytest.mark.parametrize("variable", CERTIFICATES[:3])
def test_a_company_s_certificate_is_trusted_when_it_is_named(company, monkeypatch, variable):
    certificate, key = company
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(lambda request: give(request, b"secure"), context) as url:
        with pytest.raises(ImageError, match=r"its certificate is not trusted: self.signed.*SSL_C"):
            open_url(f"{url}/x.png")
        monkeypatch.setenv(variable, str(certificate))
        assert open_url(f"{url}/x.png").read() == b"secure"
        with pytest.raises(ImageError, match=r"certificate is not trusted: .*localhost"):
            open_url(f"{url.replace('127.0.0.1', 'localhost')}/x.png")


def test_a_server_without_tls_is_called_that():
    with (
        serving(lambda request: give(request, b"plain")) as url,
        pytest.raises(ImageError, match="does not speak TLS as expected"),
    ):
        open_url(f"{url.replace('http', 'https')}/x.png")


@pytest.mark.parametrize("variable", CERTIFICATES[:3])
def test_a_file_without_certificates_is_named(monkeypatch, tmp_path, variable):
    monkeypatch.setenv(variable, str(tmp_path / "none.pem"))
    with pytest.raises(ValueError, match=rf"{variable} names .*none\.pem"):
        certificates()
