"""The command `python -m benchmarks.runtime`, briefly."""

import re

from tests.conftest import run


def test_it_prints_three_ratios():
    result = run("-m", "benchmarks.runtime", "--files", "3", "--runs", "1")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    pattern = r": [\d.]+ times the straightforward time \([\d.]+ to [\d.]+\), \w+$"
    assert [re.sub(pattern, "", line) for line in lines] == [
        "a ready array",
        "a 12-megapixel JPEG",
        "3 PNG files",
    ]
