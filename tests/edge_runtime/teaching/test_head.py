"""The head: a convex problem has one solution, so a slow reference finds the same one."""

import numpy as np
import pytest

from edge_runtime.teaching.head import Head, fit, in_features, softmax, space_of


def problem(classes=3, count=60, dimensions=12, apart=1.0):
    rng = np.random.default_rng(1)
    labels = np.arange(count) % classes
    points = (
        rng.normal(size=(count, dimensions))
        + apart * rng.normal(size=(classes, dimensions))[labels]
    )
    return points.astype(np.float32), np.eye(classes, dtype=np.float32)[labels], labels


def loss_and_gradients(head, points, targets, strength):
    weights, bias = (part.astype(np.float64) for part in head)
    logits = points.astype(np.float64) @ weights + bias
    top = logits.max(axis=1, keepdims=True)
    logs = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    error = (np.exp(logs) - targets) / len(points)
    return (
        -(targets * logs).sum(axis=1).mean() + strength / 2 * (weights**2).sum(),
        points.T @ error + strength * weights,
        error.sum(axis=0),
    )


def slow_fit(points, targets, strength):
    """Descend the gradient with steps that halve until the loss falls, in float64."""
    head = Head(np.zeros((points.shape[1], targets.shape[1])), np.zeros(targets.shape[1]))
    loss, by_weights, by_bias = loss_and_gradients(head, points, targets, strength)
    step = 1.0
    for _ in range(20_000):
        tried = Head(head.weights - step * by_weights, head.bias - step * by_bias)
        found = loss_and_gradients(tried, points, targets, strength)
        if found[0] > loss:
            step /= 2
            if step < 1e-9:
                break
            continue
        head, (loss, by_weights, by_bias), step = tried, found, step * 1.1
        if max(np.abs(by_weights).max(), np.abs(by_bias).max()) < 1e-9:
            break
    return head


@pytest.mark.parametrize("strength", [0.3, 0.03])
def test_the_fit_is_the_slow_references(strength):
    points, targets, _ = problem()
    (head,) = fit(points, targets, [strength])
    reference = slow_fit(points, targets, strength)
    found = loss_and_gradients(head, points, targets, strength)[0]
    least = loss_and_gradients(reference, points, targets, strength)[0]
    assert least - 1e-6 <= found < 1.003 * least
    assert np.abs(head.weights - reference.weights).max() < 0.04 * np.abs(head.weights).max()


@pytest.mark.parametrize("strength", [0.3, 0.1, 0.03])
def test_no_gradient_is_left_at_the_optimum(strength):
    points, targets, _ = problem(classes=5, count=100, apart=0.3)
    (head,) = fit(points, targets, [strength])
    _, by_weights, by_bias = loss_and_gradients(head, points, targets, strength)
    start = Head(np.zeros_like(head.weights), np.zeros_like(head.bias))
    at_start = np.abs(loss_and_gradients(start, points, targets, strength)[1]).max()
    assert np.abs(by_weights).max() < 0.01 * at_start
    assert np.abs(by_bias).max() < 0.01 * at_start


def test_each_strength_gives_its_own_optimum_wherever_it_starts():
    points, targets, _ = problem()
    path = fit(points, targets, [0.3, 0.1, 0.03])
    for strength, head in zip([0.3, 0.1, 0.03], path, strict=True):
        (alone,) = fit(points, targets, [strength])
        assert np.abs(head.weights - alone.weights).max() < 0.03 * np.abs(alone.weights).max()
    sizes = [float((head.weights**2).sum()) for head in path]
    assert sizes == sorted(sizes)  # a weaker penalty leaves larger weights


def test_separable_classes_are_separated():
    points, targets, labels = problem(apart=6.0)
    (head,) = fit(points, targets, [0.01])
    scores = softmax(head.logits(points))
    assert (scores.argmax(axis=1) == labels).all()
    assert scores.max(axis=1).min() > 0.8
    assert scores.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_soft_targets_are_met():
    """Counter-examples are taught to score the same for all classes."""
    points, targets, _ = problem(apart=6.0)
    targets[:] = 1 / 3
    (head,) = fit(points, targets, [0.01])
    assert softmax(head.logits(points)) == pytest.approx(1 / 3, abs=0.01)


def test_without_dimensions_the_head_knows_how_frequent_classes_are():
    targets = np.eye(2, dtype=np.float32)[[0, 0, 0, 1]]
    (head,) = fit(np.zeros((4, 0), np.float32), targets, [0.1])
    assert softmax(head.bias[np.newaxis]) == pytest.approx(np.array([[0.75, 0.25]]), abs=0.01)


@pytest.mark.parametrize(("count", "width"), [(20, 50), (50, 20), (30, 30)])
def test_the_space_whitens_what_scatters_most(count, width):
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(count, width)) * np.linspace(0.1, 5, width)).astype(np.float32)
    space = space_of(features, 8)
    coordinates = space.coordinates(features)
    assert coordinates.shape == (count, 8)
    covariance = coordinates.T @ coordinates / count
    assert covariance == pytest.approx(np.diag(np.diag(covariance)), abs=1e-3)
    assert (np.diag(covariance) > 0.8).all() and (np.diag(covariance) <= 1).all()
    kept = np.linalg.svd(features - features.mean(axis=0), compute_uv=False)[:8] ** 2 / count
    shrinkage = 0.005 * ((features - features.mean(axis=0)) ** 2).sum() / count
    assert np.sort(np.diag(covariance)) == pytest.approx(
        np.sort(kept / (kept + shrinkage)), abs=1e-3
    )


def test_a_head_in_features_gives_the_same_logits():
    points, targets, _ = problem()
    space = space_of(points, 6)
    coordinates = space.coordinates(points)
    (head,) = fit(coordinates, targets, [0.1])
    assert in_features(head, space).logits(points) == pytest.approx(
        head.logits(coordinates), abs=1e-4
    )
