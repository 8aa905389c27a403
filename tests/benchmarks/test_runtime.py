"""Run `python -m benchmarks.runtime` on few files."""

import re

from tests.conftest import run


def test_it_prints_three_ratios():
    result = run("-m", "benchmarks.runtime", "--files", "3", "--runs", "1")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    pattern = r": [\d.]+ times the time of simple code \([\d.]+ to [\d.]+\), [\w ]+$"
    assert [re.sub(pattern, "", line) for line in lines] == [
        "an array",
        "a 12-megapixel JPEG",
        "3 PNG files",
    ]
