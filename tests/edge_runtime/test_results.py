"""What an image gives, and the layout that JSON, CSV and Parquet share."""

import pytest

from edge_runtime import Frame, ImageError, Prediction, Result
from edge_runtime.results import LAYOUT, record

CAT, DOG = Prediction("cat", 3, 0.75), Prediction("dog", 5, 0.25)


def test_a_result_is_read_like_its_predictions():
    result = Result((CAT, DOG), model="m")
    assert [*result] == [CAT, DOG]
    assert (len(result), result[0], result[-1], result[:1]) == (2, CAT, DOG, (CAT,))
    assert not Result()


def test_a_threshold_hides_predictions_and_keeps_all_else():
    frame = Frame(
        predictions=(CAT, DOG), model="m", frame=4, captured_at=1.5, age_ms=2.5, dropped=3
    )
    kept = frame.at_least(0.5)
    assert kept == Frame(
        predictions=(CAT,), model="m", frame=4, captured_at=1.5, age_ms=2.5, dropped=3
    )
    assert frame.at_least(0.0) is frame
    assert frame.at_least(0.75).predictions == (CAT,)


@pytest.mark.parametrize("accepted", [True, False])
def test_the_record_of_an_image(accepted):
    assert record("a.png", Result((CAT,), accepted, "m"), "cpu") == {
        "source": "a.png",
        "predictions": [{"label": "cat", "index": 3, "score": 0.75}],
        "accepted": accepted,
        "model": "m",
        "delegate": "cpu",
        "layout": LAYOUT,
    }


def test_the_record_of_a_frame_has_its_times_after_the_source():
    frame = Frame(predictions=(), model="m", frame=4, captured_at=1.5, age_ms=2.5, dropped=3)
    fields = record("camera:0", frame, "xnnpack")
    assert list(fields) == [
        *("source", "frame", "captured_at", "age_ms", "dropped"),
        *("predictions", "accepted", "model", "delegate", "layout"),
    ]
    assert (fields["frame"], fields["captured_at"]) == (4, 1.5)
    assert (fields["age_ms"], fields["dropped"]) == (2.5, 3)


def test_the_record_of_an_error():
    result = Result(error=ImageError("There is no file a.png; check the name."))
    assert record("a.png", result, "cpu") == {
        "source": "a.png",
        "error": "There is no file a.png; check the name.",
        "layout": LAYOUT,
    }
