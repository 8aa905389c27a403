import numpy as np
import pytest

from benchmarks.teaching.ridge import penalties_for, ridge

rng = np.random.default_rng(0)
LABELS = np.arange(12) % 3
FEATURES = (rng.normal(size=(12, 20)) + np.eye(3, 20)[LABELS]).astype(np.float32)


def test_a_head_solves_the_normal_equations():
    head = ridge(FEATURES, LABELS, 3, np.array([0.7]))
    centred, targets = FEATURES - FEATURES.mean(axis=0), np.eye(3)[LABELS]
    weights = np.linalg.solve(centred.T @ centred + 0.7 * np.eye(20), centred.T @ targets)
    assert head.weights == pytest.approx(weights, abs=1e-5)
    assert head.logits(FEATURES).mean(axis=0) == pytest.approx(targets.mean(axis=0), abs=1e-5)


def test_the_penalty_is_the_best_when_each_row_is_left_out():
    grid = np.geomspace(0.01, 1000, 11)

    def error(penalty):
        squares = []
        for row in range(12):
            rest = np.arange(12) != row
            head = ridge(FEATURES[rest], LABELS[rest], 3, np.array([penalty]))
            squares.append((head.logits(FEATURES[row]) - np.eye(3)[LABELS[row]]) ** 2)
        return np.mean(squares)

    best = min(grid, key=error)
    assert grid[0] < best < grid[-1]
    chosen, alone = ridge(FEATURES, LABELS, 3, grid), ridge(FEATURES, LABELS, 3, np.array([best]))
    assert chosen.weights == pytest.approx(alone.weights)


def test_the_grid_follows_the_scale_of_the_features():
    assert penalties_for(FEATURES * np.float32(10)) == pytest.approx(100 * penalties_for(FEATURES))
