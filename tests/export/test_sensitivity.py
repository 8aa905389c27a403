"""Ranking the layers of a CNN that is hard to quantize: the culprit comes first."""

import csv

from export import sensitivity
from train.outlier_head import without


def test_the_layer_with_the_enlarged_channel_comes_first(hard, tmp_path):
    errors = sensitivity.explain(hard)
    assert errors[0].layer == "block1_conv1"
    assert errors[0].regained >= 0.05
    assert max(error.regained for error in errors[1:]) < errors[0].regained
    assert errors[0].sqnr_db < errors[1].sqnr_db - 10
    assert sorted(error.layer for error in errors) == sorted(
        layer.name
        for layer in without(hard.model).layers
        if "kernel" in {w.name for w in layer.weights}
    )
    table, plot = sensitivity.write(errors, tmp_path / "ranking", "hard")
    with table.open() as stream:
        assert [row["layer"] for row in csv.DictReader(stream)] == [e.layer for e in errors]
    assert plot.read_bytes().startswith(b"\x89PNG")
