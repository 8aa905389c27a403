"""The arithmetic that fits the machine."""

import pytest

from train import precision


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("flags : fpu avx512_bf16 amx_tile", "bfloat16"),
        ("flags : fpu avx2 avx512f", "float32"),
        ("Features : fp asimd bf16", "bfloat16"),
    ],
)
def test_bfloat16_needs_instructions_for_it(tmp_path, monkeypatch, flags, expected):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(flags)
    monkeypatch.setattr(precision, "CPUINFO", cpuinfo)
    chosen, why = precision.choose("bfloat16")
    assert chosen == expected
    assert ("no instructions" in why) == (expected == "float32")
    assert precision.choose("float32")[0] == "float32"


def test_without_cpuinfo_it_is_float32(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "CPUINFO", tmp_path / "nothing")
    assert precision.choose("bfloat16")[0] == "float32"
