"""The text of a report."""

import json

import pytest

from train import report as reports


@pytest.mark.parametrize(
    ("images", "right", "why"),
    [
        (49, 0.9, "49 held-out images are too few"),
        (2500, 1.0, "all 2,500 held-out images are classified right"),
        (2500, 0.1, "no temperature from 1/10 to 10 corrects them"),
    ],
)
def test_why_scores_are_not_calibrated(calibrated, images, right, why):
    report = json.loads((calibrated[0] / "report.json").read_text())
    held_out = report["held_out"] | {"images": images, "top1": right}
    text = reports.as_text(report | {"temperature": None, "held_out": held_out})
    assert f"scores are not calibrated: {why}" in text
