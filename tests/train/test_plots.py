"""Plots for any names and numbers of classes."""

import warnings

import numpy as np
import pytest
from PIL import Image

from tests.train.small import HELD_OUT
from train import plots


@pytest.mark.parametrize(
    "names", [("$5_$10", "$10_$20"), ("\u732b", "\u72ac"), ("a b", "caf\u00e9")]
)
def test_any_name_can_be_drawn(names, tmp_path):
    scores = np.eye(2, dtype=np.float32)[1 - HELD_OUT.labels]
    history = [{f"{s}_{m}": 0.5 for s in ("train", "held_out") for m in ("loss", "top1")}]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.confusion(np.array([[3, 1], [0, 4]]), names, tmp_path / "confusion.png", names[0])
        plots.mistakes(HELD_OUT, scores, names, tmp_path / "mistakes.png", names[1])
        plots.curves({names[0]: history}, tmp_path / "curves.png", "runs compared")
    assert len(list(tmp_path.iterdir())) == 3


def test_many_classes_make_a_larger_plot_without_numbers(tmp_path):
    names = [f"class {i}" for i in range(60)]
    plots.confusion(np.eye(60, dtype=np.int64), names, tmp_path / "many.png", "sixty")
    with Image.open(tmp_path / "many.png") as plot:
        assert plot.height > 900
