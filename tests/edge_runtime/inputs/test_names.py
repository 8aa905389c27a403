import pytest

from edge_runtime.inputs import http
from edge_runtime.inputs.names import (
    gives_the_same_again,
    is_file,
    is_remote,
    is_stream,
    is_told_by_path,
    is_video,
)


@pytest.mark.parametrize(
    ("name", "stream", "file"),
    [
        ("camera:0", True, False),
        ("rtsp://host/x", True, False),
        ("clip.MP4", True, True),
        ("clip.mpeg", True, True),
        ("clip.M2TS", True, True),
        ("clip.3gp", True, True),
        ("clip.wmv", True, True),
        ("clip.flv", True, True),
        ("clip.png", False, True),
        ("dir/camera", False, True),
    ],
)
def test_streams_are_told_from_images(name, stream, file):
    assert (is_stream(name), is_file(name)) == (stream, file)


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ("a.mp4", True),
        ("http://x/a.mp4", True),
        ("http://x/a.mp4?sig=0f3a", True),
        ("http://x/a.mp4#t=3", True),
        ("http://x/cam.mjpg", False),
        ("http://x/cam.mjpg?back=a.mp4", False),
        ("cam.mjpg", True),
        ("camera:0", False),
        ("rtsp://x/a.mp4", False),
    ],
)
def test_which_streams_give_the_same_frames_again(name, again):
    assert gives_the_same_again(name) is again


@pytest.mark.parametrize(
    ("url", "video"),
    [
        ("http://x/clip.mp4?sig=0f3a", True),
        ("http://x/clip%2Emp4", True),
        ("http://x/pic.png?back=film.mp4", False),
        ("http://x/pic.png#film.mp4", False),
    ],
)
def test_the_path_of_a_url_tells_what_it_is(monkeypatch, url, video):
    monkeypatch.setattr(http, "served_kind", None)  # nothing is asked
    assert is_told_by_path(url)
    assert (is_video(url), is_stream(url)) == (video, video)


@pytest.mark.parametrize(
    ("kind", "stream", "again"),
    [("image", False, False), ("video", True, True), ("live", True, False)],
)
def test_a_server_is_asked_once_if_the_path_does_not_tell(monkeypatch, kind, stream, again):
    asked = []

    def served_kind(url):
        asked.append(url)
        return kind

    monkeypatch.setattr(http, "served_kind", served_kind)
    url = f"http://x/{kind}?back=film.mp4"
    assert not is_told_by_path(url)
    assert (is_stream(url), gives_the_same_again(url)) == (stream, again)
    assert asked == [url]


def test_which_streams_are_in_the_network():
    assert all(map(is_remote, ["http://x/a.mp4", "HTTPS://x", "rtsp://x", "RTSPS://x"]))
    assert not any(map(is_remote, ["camera:0", "a.mp4", "rtsp.mp4"]))


def test_a_folder_or_pattern_with_a_video_s_suffix_is_not_a_stream(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.avi").touch()
    (tmp_path / "dir.mp4").mkdir()
    assert is_stream("film.avi")
    assert is_stream("nothing.mp4")
    assert not is_stream("*.avi")
    assert not is_stream("dir.mp4")
