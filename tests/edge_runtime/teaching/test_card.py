"""The model card, and the bytes of the file, follow from the photographs alone."""

import hashlib
import json
import shutil
import zipfile

import pytest

from edge_runtime import teach
from edge_runtime.teaching.graph import BACKBONE


def card_of(path):
    return json.loads(zipfile.ZipFile(path).read("model-card.json"))


def test_the_card_says_what_was_taught(shapes_model, shapes):
    path, report = shapes_model
    card = card_of(path)
    assert card["classes"] == ["disc", "ring", "square"]
    assert card["io"]["input"]["shape"] == [1, 224, 224, 3]
    assert card["network"] == "efficientnet-lite0-taught"
    assert card["backbone_sha256"] == hashlib.sha256(BACKBONE.read_bytes()).hexdigest()
    facts = card["taught"]
    assert facts["photographs"] == {"disc": 8, "ring": 8, "square": 8}
    assert facts["counter_examples"] == 0
    assert facts["expected_top1"] == pytest.approx(report["expected"]["top1"], abs=1e-4)
    assert facts["expected_interval"] == pytest.approx(
        [report["expected"]["low"], report["expected"]["high"]], abs=1e-4
    )
    hashes = sorted(hashlib.sha256(p.read_bytes()).hexdigest() for p in shapes.glob("*/*.png"))
    assert facts["sha256"] == hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    assert facts["photographs_sha256"] == [digits[:16] for digits in hashes]
    assert card["acceptance"]["threshold"] == report["threshold"]


def test_names_places_and_order_of_photographs_do_not_change_a_byte(shapes_model, shapes, tmp_path):
    path, _ = shapes_model
    elsewhere = tmp_path / "else where"
    for folder in shapes.iterdir():
        for at, photograph in enumerate(sorted(folder.iterdir(), reverse=True)):
            below = elsewhere / folder.name / f"{at % 2}"
            below.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(photograph, below / f"renamed {at}.PNG")
    teach(elsewhere, tmp_path / "again.tflite", threads=3)
    assert (tmp_path / "again.tflite").read_bytes() == path.read_bytes()


def test_another_photograph_changes_the_card(shapes_model, shapes, tmp_path):
    path, _ = shapes_model
    changed = shutil.copytree(shapes, tmp_path / "changed")
    with (changed / "disc" / "00.png").open("ab") as stream:
        stream.write(b"\0")  # the same pixels in another file
    teach(changed, tmp_path / "changed.tflite")
    before, after = card_of(path), card_of(tmp_path / "changed.tflite")
    assert before["taught"]["sha256"] != after["taught"]["sha256"]
    assert (
        len(
            set(before["taught"]["photographs_sha256"]) ^ set(after["taught"]["photographs_sha256"])
        )
        == 2
    )
