"""`edge-classify --labels`: a file of names."""

import pytest

from edge_runtime.inference import shipped
from tests.conftest import GOLDEN, run


def test_a_byte_order_mark_is_no_part_of_a_label(tmp_path):
    names = tmp_path / "labels.txt"
    names.write_text("one\ntwo\nthree\n", encoding="utf-8-sig")
    model, image = GOLDEN / "uint8.tflite", shipped.samples()["ship"]
    result = run("edge-classify", "--model", model, "--labels", names, "--top-k", "3", image)
    assert {part.split()[0] for part in result.stdout.split(": ")[1].split(", ")} == {
        "one",
        "two",
        "three",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("one\n \nthree\n", "--labels {}: line 2 is empty; write a class's name there."),
        ("one\ntwo\n\n", "Expected `labels` to be 10 names, one for each class, but got 2."),
    ],
)
def test_what_cannot_be_labels_is_a_usage_error(tmp_path, content, message):
    names = tmp_path / "labels.txt"
    names.write_text(content)
    result = run("edge-classify", "--labels", names, shipped.samples()["frog"])
    assert (result.returncode, result.stdout) == (2, "")
    assert message.format(names) in " ".join(result.stderr.split())
