import pytest

from edge_runtime.inputs.names import gives_the_same_again, is_file, is_stream


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
        ("http://x/cam", False),
        ("http://x/cam.mjpg", False),
        ("cam.mjpg", True),
        ("camera:0", False),
        ("rtsp://x/a.mp4", False),
    ],
)
def test_which_streams_give_the_same_frames_again(name, again):
    assert gives_the_same_again(name) is again


def test_a_folder_or_pattern_with_a_video_s_suffix_is_not_a_stream(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.avi").touch()
    (tmp_path / "dir.mp4").mkdir()
    assert is_stream("film.avi")
    assert is_stream("nothing.mp4")
    assert not is_stream("*.avi")
    assert not is_stream("dir.mp4")
