import itertools
import time

import pytest

from benchmarks.turns import ROUNDS, STRETCHES, take_turns


def test_groups_take_turns_several_times():
    log = []

    def opens(name):
        def opener():
            log.append(f"open {name}")
            return lambda: log.append(name)

        return opener

    (ab, c), complete = take_turns(
        [{"a": opens("a"), "b": opens("b")}, {"c": opens("c")}],
        seconds=0,
    )
    assert complete
    assert (set(ab.times), set(c.times)) == ({"a", "b"}, {"c"})
    assert len(ab.times["a"]) == len(ab.times["b"]) == len(c.times["c"]) == ROUNDS[0]
    assert ab.stretch == c.stretch == ROUNDS[0] // STRETCHES
    runs = [n for n, _ in itertools.groupby("ab" if n in ("a", "b") else n for n in log)]
    # The first turn only estimates the duration of a round.
    assert runs == ["open a", "open b", "ab", "open c", "c"] * (1 + STRETCHES)


def test_more_seconds_give_more_rounds():
    [series], _ = take_turns([{"a": lambda: lambda: time.sleep(0.001)}], 0.2)
    assert ROUNDS[0] < len(series.times["a"]) <= 200


@pytest.mark.parametrize(("at", "expected"), [(1, set()), (40, {"a"})])
def test_ctrl_c_ends_it(at, expected):
    calls = itertools.count(1)

    def press():
        if next(calls) == at:
            raise KeyboardInterrupt

    [series], complete = take_turns([{"a": lambda: press}], 0)
    assert not complete
    assert set(series.times) == expected
    assert all(0 < len(times) < ROUNDS[0] for times in series.times.values())


def test_a_group_that_fails_ends_alone():
    opened = itertools.count()

    def opener():
        if next(opened) == 3:
            raise RuntimeError("the device is gone")
        return lambda: None

    (broken, sound), complete = take_turns([{"a": opener}, {"b": lambda: lambda: None}], 0)
    assert complete
    assert (broken.error, sound.error) == ("the device is gone", "")
    assert 0 < len(broken.times["a"]) < len(sound.times["b"]) == ROUNDS[0]
