"""Streams: the logic on made-up captures, then real encoded video and MJPEG over HTTP."""

import gc
import io
import json
import threading
import time
import tracemalloc
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Classifier, StreamError
from edge_runtime.jobs.stream import classify_stream
from tests.conftest import GOLDEN, run

COLOURS = ("red", "green", "blue")


def colour(number: int) -> str:
    """What a made-up source shows in a frame, numbered from 1."""
    return COLOURS[(number - 1) % 3]


def picture(number: int, side: int = 4) -> np.ndarray:
    image = np.zeros((side, side, 3), np.uint8)
    image[..., COLOURS.index(colour(number))] = 255
    return image


class Capture:
    """Gives frames as fast as they are taken, or one every so many seconds."""

    def __init__(self, frames, period_s=0.0, first=1):
        self.numbers = iter(range(first, first + frames))
        self.period_s = period_s
        self.damaged = False
        self.closed = False

    def read(self):
        time.sleep(self.period_s)
        number = next(self.numbers, None)
        return None if number is None else picture(number)

    def close(self):
        self.closed = True


@pytest.fixture
def classifier():
    with Classifier(GOLDEN / "uint8.tflite") as classifier:
        yield classifier


def stream(classifier, captures, source="camera:0", **options):
    """Classify a source that is opened anew with each of `captures`; an error cannot be opened."""
    captures = iter(captures)

    def open_capture(name):
        capture = next(captures, StreamError("it stays away"))
        if isinstance(capture, Exception):
            raise capture
        capture.live = name != "clip.mp4"
        return capture

    return classify_stream(classifier, source, open_capture=open_capture, **options)


def test_a_video_file_loses_no_frame(classifier):
    capture = Capture(20)
    frames = list(stream(classifier, [capture], "clip.mp4"))
    assert [f.frame for f in frames] == list(range(1, 21))
    assert [f.predictions[0].label for f in frames] == [colour(n) for n in range(1, 21)]
    assert {f.dropped for f in frames} == {0}
    assert capture.closed


def test_a_video_with_fewer_frames_than_every_says_that_none_was_due(classifier):
    with pytest.raises(StreamError, match=r"clip\.mp4 has 5 frames, so none was due"):
        list(stream(classifier, [Capture(5)], "clip.mp4", every=10))
    assert len(list(stream(classifier, [Capture(5)], "clip.mp4", every=5))) == 1


def test_the_age_of_a_frame_does_not_follow_a_clock_that_is_set(classifier, monkeypatch):
    hour_s = iter(range(0, 10**6, 3600))
    monkeypatch.setattr("edge_runtime.jobs.stream.time.time", lambda: float(next(hour_s)))
    frames = list(stream(classifier, [Capture(4)], "clip.mp4"))
    assert len(frames) == 4
    assert all(0 <= frame.age_ms < 60_000 for frame in frames)


def test_every_takes_every_nth_frame(classifier):
    frames = list(stream(classifier, [Capture(10)], "clip.mp4", every=3))
    assert [(f.frame, f.dropped) for f in frames] == [(3, 0), (6, 0), (9, 0)]


def test_max_frames_and_duration_end_it(classifier):
    assert len(list(stream(classifier, [Capture(10)], "clip.mp4", max_frames=4))) == 4
    started = time.monotonic()
    capture = Capture(10**6, period_s=0.01)
    frames = list(stream(classifier, [capture], duration_s=0.3))
    assert 1 <= len(frames) <= 40
    assert time.monotonic() - started < 5
    assert capture.closed


def test_of_a_live_source_the_latest_frame_wins(classifier):
    frames = []
    for frame in stream(classifier, [Capture(10**6, period_s=0.002)], max_frames=5):
        frames.append(frame)
        time.sleep(0.05)  # a slow reader
    numbers = [f.frame for f in frames]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] > 20  # and not 5
    # Every frame was either a result or counted as dropped.
    assert sum(f.dropped + 1 for f in frames) == numbers[-1]
    assert all(f.predictions[0].label == colour(f.frame) for f in frames)
    assert all(0 <= f.age_ms < 1000 for f in frames)
    assert abs(frames[-1].captured_at - time.time()) < 60


def test_a_device_that_vanishes_is_opened_again(classifier):
    sentences = []
    gone = StreamError("not there")
    # Its third life lasts until the end; while it is away, two tries fail.
    lives = [Capture(3, 0.01), gone, gone, Capture(10**6, 0.01)]
    frames = list(stream(classifier, lives, max_frames=20, report=sentences.append))
    assert len(frames) == 20
    numbers = [f.frame for f in frames]
    assert numbers == sorted(set(numbers))
    assert sentences == [
        "camera:0 is lost; it is opened again when it is back.",
        "camera:0 is back.",
    ]


def test_one_that_stays_away_is_an_error(classifier):
    frames = stream(classifier, [Capture(1, 0.01)], retry_s=0.3)
    assert next(frames).frame == 1
    with pytest.raises(StreamError, match=r"camera:0 was lost and did not come back in 0\.3 s"):
        next(frames)


def test_one_that_opens_but_gives_no_frame_stays_away(classifier):
    sentences = []
    lives = [Capture(1, 0.01), *(Capture(0) for _ in range(100))]
    frames = stream(classifier, lives, retry_s=0.3, report=sentences.append)
    assert next(frames).frame == 1
    with pytest.raises(StreamError, match="did not come back"):
        next(frames)
    assert len(sentences) == 1
    assert all(capture.closed for capture in lives[1:3])
    assert not lives[-1].closed  # the pauses grow


def test_a_video_without_a_frame_is_an_error(classifier):
    with pytest.raises(StreamError, match=r"clip\.mp4 gives no frame; save it in another format"):
        next(stream(classifier, [Capture(0)], "clip.mp4"))


def test_one_that_is_not_there_is_an_error_at_once(classifier):
    with pytest.raises(StreamError, match="it stays away"):
        next(stream(classifier, []))


@pytest.mark.parametrize("option", ["every", "max_frames"])
def test_wrong_numbers(classifier, option):
    with pytest.raises(ValueError, match=f"`{option}`"):
        next(stream(classifier, [Capture(1)], **{option: 0}))


def test_leaving_early_closes_the_device(classifier):
    capture = Capture(10**6, 0.001)
    frames = stream(classifier, [capture])
    next(frames)
    frames.close()
    assert capture.closed
    assert not [t for t in threading.enumerate() if t.name == "edge-stream"]


def long_run(classifier, frames):
    """Classify many frames; return what memory grew by from the first tenth to the end."""
    tracemalloc.start()
    try:
        early = None
        last = total = 0
        for frame in stream(classifier, [Capture(frames)], "clip.mp4"):
            assert frame.frame == last + 1 + frame.dropped
            last = frame.frame
            total += 1 + frame.dropped
            if last == frames // 10:
                gc.collect()
                early = tracemalloc.get_traced_memory()[0]
        gc.collect()
        assert last == total == frames
        return tracemalloc.get_traced_memory()[0] - early
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow(classifier):
    assert long_run(classifier, 3_000) < 50_000


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_day_of_frames(classifier):
    """24 hours at 5 frames a second, faster than real time."""
    assert long_run(classifier, 24 * 3600 * 5) < 50_000


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


def test_without_opencv_the_remedy_is_named(monkeypatch, classifier):
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(StreamError, match=r"pip install 'edge-classify\[camera\]'"):
        next(classifier.stream("camera:0"))


class Camera(BaseHTTPRequestHandler):
    """An MJPEG stream: 5 frames, then the connection is cut; the first try after that fails."""

    visits = 0

    def do_GET(self):
        type(self).visits += 1
        if self.visits == 3:
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            for number in range(1, 6):
                data = io.BytesIO()
                Image.fromarray(picture(number, 64)).save(data, "JPEG", quality=95)
                self.wfile.write(
                    b"--frame\r\nContent-Type: image/jpeg\r\n"
                    b"Content-Length: %d\r\n\r\n" % data.tell() + data.getvalue() + b"\r\n"
                )
                time.sleep(0.05)
        except OSError:
            return

    def log_message(self, *args):
        pass


def test_a_video_on_a_server_has_an_end(video):
    """Under a name that does not say what it is, so that its server is asked."""
    served = video.rename(video.with_name("clip"))

    class Server(SimpleHTTPRequestHandler):
        def guess_type(self, path):
            return "video/x-msvideo"

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, directory=served.parent))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/clip"
        result = run("edge-classify", "--json", "--model", GOLDEN / "uint8.tflite", url)
    finally:
        server.shutdown()
        server.server_close()
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
    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/stream"
        options = ("--model", GOLDEN / "uint8.tflite", "--max-frames", "8", "--duration", "60")
        result = run("edge-classify", "--json", *options, url)
    finally:
        server.shutdown()
        server.server_close()
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    numbers = [line["frame"] for line in lines]
    assert len(numbers) == 8
    assert numbers == sorted(set(numbers))
    assert {line["predictions"][0]["label"] for line in lines} == {*COLOURS}
    assert f"{url} is lost" in result.stderr
    assert f"{url} is back" in result.stderr
    assert Camera.visits >= 4


def test_resume_keeps_a_camera_s_frames(tmp_path):
    """They do not come again."""
    Camera.visits = 3  # it is there at once
    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    out = tmp_path / "results"
    try:
        url = f"http://127.0.0.1:{server.server_port}/stream"
        options = ("--model", GOLDEN / "uint8.tflite", "--max-frames", "2", "--duration", "60")
        for _ in range(2):
            result = run("edge-classify", "--json", "--out", out, "--resume", *options, url)
            assert result.returncode == 0, result.stderr
    finally:
        server.shutdown()
        server.server_close()
    assert out.read_text().count('"predictions"') == 4


def test_a_duration_bounds_the_opening():
    """Of a server that answers nothing."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x"
        begun = time.monotonic()
        result = run("edge-classify", "--duration", "1", url)
        assert time.monotonic() - begun < 8
    assert result.returncode == 1
    assert "cannot be opened" in result.stderr
