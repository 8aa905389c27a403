"""Streams of made-up captures: which frames are classified, and what happens if one ends."""

import gc
import threading
import time
import tracemalloc

import pytest

from edge_runtime import Classifier, StreamError
from edge_runtime.jobs.stream import classify_stream
from tests.conftest import GOLDEN
from tests.edge_runtime.jobs.frames import colour, picture


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


def test_without_opencv_the_remedy_is_named(monkeypatch, classifier):
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(StreamError, match=r"pip install 'edge-classify\[camera\]'"):
        next(classifier.stream("camera:0"))
