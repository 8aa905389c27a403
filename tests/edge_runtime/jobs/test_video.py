"""Encoded videos, and MJPEG over HTTP, as OpenCV reads them."""

import io
import json
import socket
import time

import numpy as np
import pytest
from PIL import Image

from tests.conftest import GOLDEN, run
from tests.edge_runtime.inputs.servers import give, serving
from tests.edge_runtime.jobs.frames import COLOURS, colour, picture

cv2 = pytest.importorskip("cv2", reason="needs the extra `camera`")


@pytest.fixture
def video(tmp_path):
    """12 frames of plain colours, encoded."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 64))
    for number in range(1, 13):
        writer.write(np.ascontiguousarray(picture(number, 64)[..., ::-1]))
    writer.release()
    return path


def test_real_video_on_the_command_line(video):
    command = ("edge-classify", "--json", "--model", GOLDEN / "uint8.tflite", video)
    result = run(*command)
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["frame"] for line in lines] == list(range(1, 13))
    assert [line["predictions"][0]["label"] for line in lines] == [colour(n) for n in range(1, 13)]
    assert {line["source"] for line in lines} == {str(video)}
    assert all({"captured_at", "age_ms", "dropped"} <= line.keys() for line in lines)
    bounded = run(*command, "--every", "4", "--max-frames", "2")
    assert [json.loads(line)["frame"] for line in bounded.stdout.splitlines()] == [4, 8]


def test_of_a_damaged_video_the_other_frames_are_classified(video):
    """Two frames in its middle are zeros; another is cut in its middle."""
    content = bytearray(video.read_bytes())
    starts = [i for i in range(len(content)) if content[i : i + 4] == b"00dc"][1:13]
    for start in starts[3:5]:
        content[start + 8 : start + 200] = bytes(192)
    video.write_bytes(content)
    command = ("edge-classify", "--json", "--model", GOLDEN / "uint8.tflite", video)
    result = run(*command)
    *frames, error = map(json.loads, result.stdout.splitlines())
    assert [line["predictions"][0]["label"] for line in frames] == [
        colour(number) for number in range(1, 13) if number not in (4, 5)
    ]
    assert error["error"].startswith(f"{video} is damaged: some frames cannot be decoded.")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 2  # with what was assumed, and nothing of FFmpeg's
    video.write_bytes(content[: starts[2]])
    short = run(*command)
    assert short.returncode == 1
    assert short.stdout.count("predictions") == 2
    assert "is damaged" in short.stderr


@pytest.mark.parametrize(
    "source", ["camera:99", "camera:99999999999", "nothing.mp4", "rtsp://127.0.0.1:9/x"]
)
def test_what_cannot_be_opened_is_one_line(source):
    result = run("edge-classify", "--json", source)
    assert result.returncode == 1
    assert json.loads(result.stdout)["error"] == result.stderr.split(": ", 1)[1].strip()
    assert "cannot be opened; check" in result.stderr


class Camera:
    """An MJPEG stream: 5 frames, then the connection is cut; the first try after that fails."""

    def __init__(self, visits=0):
        self.visits = visits

    def __call__(self, request):
        self.visits += 1
        if self.visits == 3:
            request.send_error(503)
            return
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        request.end_headers()
        try:
            for number in range(1, 6):
                data = io.BytesIO()
                Image.fromarray(picture(number, 64)).save(data, "JPEG", quality=95)
                request.wfile.write(
                    b"--frame\r\nContent-Type: image/jpeg\r\n"
                    b"Content-Length: %d\r\n\r\n" % data.tell() + data.getvalue() + b"\r\n"
                )
                time.sleep(0.05)
        except OSError:
            return


def test_a_video_on_a_server_has_an_end(video):
    """Under a name that does not say what it is, so that its server is asked."""
    content = video.read_bytes()
    with serving(lambda request: give(request, content, kind="video/x-msvideo")) as address:
        model = ("--model", GOLDEN / "uint8.tflite")
        result = run("edge-classify", "--json", *model, f"{address}/clip")
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["frame"] for line in lines] == list(range(1, 13))
    assert {line["dropped"] for line in lines} == {0}


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_resume_begins_a_video_anew(video, tmp_path, kind):
    out = tmp_path / "results"
    model = ("--model", GOLDEN / "uint8.tflite")
    command = ("edge-classify", f"--{kind}", "--out", out, "--resume", *model, video)
    for _ in range(2):
        result = run(*command)
        assert result.returncode == 0, result.stderr
        assert "12 classified, 0 failed" in result.stderr
        assert out.read_text().count(str(video)) == 12


def test_an_mjpeg_stream_that_stops_and_comes_back():
    camera = Camera()
    with serving(camera) as address:
        url = f"{address}/stream"
        options = ("--model", GOLDEN / "uint8.tflite", "--max-frames", "8", "--duration", "60")
        result = run("edge-classify", "--json", *options, url)
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    numbers = [line["frame"] for line in lines]
    assert len(numbers) == 8
    assert numbers == sorted(set(numbers))
    assert {line["predictions"][0]["label"] for line in lines} == {*COLOURS}
    assert f"{url} is lost" in result.stderr
    assert f"{url} is back" in result.stderr
    assert camera.visits >= 4


def test_resume_keeps_a_camera_s_frames(tmp_path):
    """They do not come again."""
    out = tmp_path / "results"
    with serving(Camera(visits=3)) as address:  # it is there at once
        options = ("--model", GOLDEN / "uint8.tflite", "--max-frames", "2", "--duration", "60")
        for _ in range(2):
            result = run(
                *("edge-classify", "--json", "--out", out, "--resume"),
                *options,
                f"{address}/stream",
            )
            assert result.returncode == 0, result.stderr
    assert out.read_text().count('"predictions"') == 4


def test_a_duration_bounds_the_opening():
    """The server answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x"
        begun = time.monotonic()
        result = run("edge-classify", "--duration", "1", url)
        assert time.monotonic() - begun < 8
    assert result.returncode == 1
    assert "cannot be opened" in result.stderr
