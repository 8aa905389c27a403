import itertools
import time

import pytest

from benchmarks.turns import ROUNDS, STRETCHES, take_turns


def test_groups_take_turns_several_times():
    log = []
    groups = [{"a": lambda: log.append("a"), "b": lambda: log.append("b")}, {}]
    groups[1] = {"c": lambda: log.append("c")}
    series, complete = take_turns(groups, 0)
    assert complete
    assert [set(one) for one in series] == [{"a", "b"}, {"c"}]
    assert len(series[0]["a"]) == len(series[0]["b"]) == len(series[1]["c"]) == ROUNDS[0]
    runs = [name for name, _ in itertools.groupby("c" if name == "c" else "ab" for name in log)]
    assert runs == ["ab", "c"] * (1 + STRETCHES)  # once to see how long a round takes


def test_longer_measuring_takes_more_rounds():
    [series], _ = take_turns([{"a": lambda: time.sleep(0.001)}], 0.2)
    assert ROUNDS[0] < len(series["a"]) <= 200


@pytest.mark.parametrize(("at", "expected"), [(1, set()), (40, {"a"})])
def test_ctrl_c_ends_it(at, expected):
    calls = itertools.count(1)

    def press():
        if next(calls) == at:
            raise KeyboardInterrupt

    [series], complete = take_turns([{"a": press}], 0)
    assert not complete
    assert set(series) == expected
    assert all(0 < len(times) < ROUNDS[0] for times in series.values())
