import pytest

from edge_runtime.inputs.urls import address, is_url, keeps_login, shown, suffix_of, with_login


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("http://user:secret@host/x.png", "http://***@host/x.png"),
        ("https://token@host:8080/x?q#f", "https://***@host:8080/x?q#f"),
        ("RTSP://u:p@host", "RTSP://***@host"),
        ("s3://key:secret@bucket/folder", "s3://***@bucket/folder"),
        ("http://u:p@ss@host/x@2x.png", "http://***@host/x@2x.png"),
        ("http://u:p/w@host/x", "http://***@host/x"),
        ("http://u:p/w?d@host/x", "http://***@host/x"),
        ("http://u:p@[::1]:80/x", "http://***@[::1]:80/x"),
        ("http://host/x@2x.png", "http://host/x@2x.png"),
        ("http://host:80/x@2x.png", "http://host:80/x@2x.png"),
        ("http://[::1]/x@2x.png", "http://[::1]/x@2x.png"),
        ("http://[::1]:80/x@2x.png", "http://[::1]:80/x@2x.png"),
        ("folder/x@2x.png", "folder/x@2x.png"),
        ("camera:0", "camera:0"),
        ("-", "-"),
    ],
)
def test_no_login_is_shown(name, safe):
    assert shown(name) == safe


def test_which_names_are_urls():
    assert is_url("http://x")
    assert is_url("HTTPS://x")
    assert not is_url("ftp://x")
    assert not is_url("http.png")


@pytest.mark.parametrize(
    ("url", "suffix"),
    [
        ("http://x/a.PNG", ".png"),
        ("http://x/clip.mp4?sig=0f3a", ".mp4"),
        ("http://x/pic.png?back=film.mp4", ".png"),
        ("http://x/pic.png#film.mp4", ".png"),
        ("http://x/clip%2Emp4", ".mp4"),
        ("http://x.mp4", ""),
        ("http://x.mp4/", ""),
        ("http://[x/a.png", ""),
    ],
)
def test_the_suffix_is_that_of_the_path(url, suffix):
    assert suffix_of(url) == suffix


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://host", ("http://host/", "http", "host", 80, None)),
        ("https://HOST:8443/a", ("https://host:8443/a", "https", "host", 8443, None)),
        ("http://[::1]:8080/a", ("http://[::1]:8080/a", "http", "::1", 8080, None)),
        ("http://bücher.example/ü", ("http://xn--bcher-kva.example/%C3%BC",) + 4 * (...,)),
        ("http://me:p%40ss@host/", ("http://host/", "http", "host", 80, b"me:p@ss")),
        ("http://me@host/", ("http://host/", "http", "host", 80, b"me:")),
        ("http://m%C3%BC:%C3%BC@host/", ("http://host/", "http", "host", 80, "mü:ü".encode())),
    ],
)
def test_what_a_request_needs(url, expected):
    found = address(url)
    assert [a for a, b in zip(found, expected, strict=True) if b is not ...] == [
        b for b in expected if b is not ...
    ]


@pytest.mark.parametrize("url", ["http://", "http://x:99999/", "http://[x/", "http://a b/"])
def test_what_is_not_a_url(url):
    with pytest.raises(ValueError, match="host"):
        address(url)


def test_a_login_stays_with_its_server():
    at = address("http://host/a")
    assert keeps_login(at, address("http://host:80/b"))
    assert keeps_login(at, address("https://host/b"))
    assert not keeps_login(at, address("http://host:8080/b"))
    assert not keeps_login(at, address("https://host:8443/b"))
    assert not keeps_login(at, address("http://other/b"))
    assert not keeps_login(address("https://host/a"), at)


def test_a_url_for_a_library_keeps_its_login():
    assert with_login("http://me:p%40ss@host/a b#c") == "http://me:p%40ss@host/a%20b"
    assert with_login("http://host/ü") == "http://host/%C3%BC"
    assert with_login("http://[x/") == "http://[x/"
