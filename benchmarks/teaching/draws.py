"""Accuracy on random halves of the photographs, against a ridge head on the same halves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.teaching.pool import Pool, teach_some
from benchmarks.teaching.ridge import penalties_for, ridge
from edge_runtime.inputs.class_folders import MIN_PHOTOGRAPHS
from edge_runtime.support.metrics import top1
from edge_runtime.teaching.summary import expected


class Halves(NamedTuple):
    """One random division of the photographs.

    Attributes:
        order: of each class, indices of the photographs to learn from, in random order.
        test: indices of all others, (N,).
    """

    order: list[NDArray[np.intp]]
    test: NDArray[np.intp]

    def learn_from(self, photographs: int) -> NDArray[np.intp]:
        """Return the indices of at most so many photographs of each class, sorted."""
        return np.sort(np.concatenate([own[:photographs] for own in self.order]))


class AccuracyRow(NamedTuple):
    """What heads reach with a number of photographs of each class; means over all draws.

    Attributes:
        photographs: of each class, at most.
        learnt_from: photographs of all classes.
        top1: accuracy of the quantized head, a fraction.
        ridge_top1: accuracy of the ridge head.
        gain: difference of the two, in points.
        gain_interval: its 95 % interval. Draws share photographs, so it takes photographs and
            not draws for independent.
        gain_spread: standard deviation of the gains of single draws, in points.
        interval_holds: share of the draws whose test accuracy is in the interval that
            cross-validation gave. It says little if the classes' shares of the photographs that
            are learnt differ from those of the test photographs.
        interval_width: mean width of that interval, in points.
        expected: mean accuracy that cross-validation gave.
        agreement: share of test photographs to which the quantized head and its float self give
            the same class.
        tests: test photographs, over all draws.
    """

    photographs: int
    learnt_from: int
    top1: float
    ridge_top1: float
    gain: float
    gain_interval: tuple[float, float]
    gain_spread: float
    interval_holds: float
    interval_width: float
    expected: float
    agreement: float
    tests: int


def halve(labels: NDArray[np.intp], classes: int, draw: int) -> Halves:
    """Divide the photographs of each class.

    If their number is odd, one more is learnt from; at least two are, as `edge-teach` asks.

    Args:
        labels: class indices, (N,).
        classes: how many there are.
        draw: its number, the seed.
    """
    rng = np.random.default_rng(draw)
    shuffled = [rng.permutation(np.flatnonzero(labels == label)) for label in range(classes)]
    middles = [max(MIN_PHOTOGRAPHS, (len(own) + 1) // 2) for own in shuffled]
    return Halves(
        [own[:at] for own, at in zip(shuffled, middles, strict=True)],
        np.concatenate([own[at:] for own, at in zip(shuffled, middles, strict=True)]),
    )


def compare_heads(
    pool: Pool, photographs: Sequence[int], draws: int, done: Callable[[], None]
) -> list[AccuracyRow]:
    """Teach on random halves of the photographs and test on the other halves.

    Args:
        pool: the photographs.
        photographs: numbers to learn from, of each class.
        draws: how many halves.
        done: called after each draw.
    """
    tallies = [_Tally(pool, number) for number in photographs]
    for draw in range(draws):
        halves = halve(pool.labels, pool.classes, draw)
        for tally in tallies:
            tally.add(halves)
        done()
    return [tally.row() for tally in tallies]


class _Tally:
    """Collects the draws of one row."""

    def __init__(self, pool: Pool, photographs: int) -> None:
        self._pool = pool
        self._photographs = photographs
        self._learnt_from = self._agreeing = 0
        self._gains = np.zeros(len(pool.labels))  # of each photograph, over all draws
        self._tests = np.zeros(len(pool.labels), np.intp)
        # Of each draw: accuracy, ridge's, expected, and the interval's ends.
        self._draws: list[tuple[float, float, float, float, float]] = []

    def add(self, halves: Halves) -> None:
        """Teach on one half and test on the other."""
        pool, test = self._pool, halves.test
        chosen = halves.learn_from(self._photographs)
        labels, truth = pool.labels[chosen], pool.labels[test]
        taught = teach_some(pool, chosen, labels)
        real = pool.quantization.dequantize(pool.features[:, 0])
        last = real[:, : pool.blocks[0]]
        logits = taught.quantized.integer_logits(pool.features[test, 0], pool.quantization)
        grid = penalties_for(last[chosen])
        of_ridge = ridge(last[chosen], labels, pool.classes, grid).logits(last[test])
        found, by_ridge = logits.argmax(axis=1), of_ridge.argmax(axis=1)
        self._learnt_from = len(chosen)
        self._agreeing += int((taught.head.logits(real[test]).argmax(axis=1) == found).sum())
        self._gains[test] += (found == truth).astype(float) - (by_ridge == truth)
        self._tests[test] += 1
        top, low, high, _ = expected(taught.learnt, taught.learnt.validation.scores, labels)
        self._draws.append((top1(logits, truth), top1(of_ridge, truth), top, low, high))

    def row(self) -> AccuracyRow:
        """Return what was collected."""
        ours, of_ridge, top, low, high = np.array(self._draws).T
        gains = 100 * (ours - of_ridge)
        tested = self._tests > 0
        of_each = 100 * self._gains[tested] / self._tests[tested]
        mean = float(gains.mean())
        margin = 1.96 * float(of_each.std() / np.sqrt(len(of_each)))
        tests = int(self._tests.sum())
        return AccuracyRow(
            photographs=self._photographs,
            learnt_from=self._learnt_from,
            top1=float(ours.mean()),
            ridge_top1=float(of_ridge.mean()),
            gain=mean,
            gain_interval=(mean - margin, mean + margin),
            gain_spread=float(gains.std()),
            interval_holds=float(((low <= ours) & (ours <= high)).mean()),
            interval_width=100 * float((high - low).mean()),
            expected=float(top.mean()),
            agreement=self._agreeing / tests,
            tests=tests,
        )
