"""Compare records; all of them are made from one real measurement."""

import copy
import json

import pytest

from edge_runtime.benchmark.images import find_images
from edge_runtime.benchmark.pipeline import Setting
from edge_runtime.benchmark.record import FORMAT, RecordError, read, to_record, write
from edge_runtime.benchmark.regression import compare_records, require_comparable
from edge_runtime.benchmark.run import run
from edge_runtime.benchmark.session import Plan
from edge_runtime.benchmark.table import regression_text
from tests.conftest import GOLDEN

SETTINGS = [Setting(str(GOLDEN / "logits.tflite"), batch=batch) for batch in (1, 2)]


@pytest.fixture(scope="module")
def session():
    plan = Plan([*SETTINGS, Setting("nothing")], find_images([], print), calls=50, cold_starts=1)
    return run(plan)


@pytest.fixture(scope="module")
def measured(session):
    record = json.loads(json.dumps(to_record(session)))
    for conditions in record["conditions"].values():  # whatever else runs on the machine
        conditions["disturbed"] = False
    return record


@pytest.fixture
def new(measured):
    return copy.deepcopy(measured)


def scaled(record, factor, stages=("invoke", "end_to_end")):
    record = copy.deepcopy(record)
    for row in record["rows"]:
        for stage in stages if "stages" in row else ():
            middle = row["stages"][stage]["p50_us"] * factor
            row["stages"][stage] |= {
                "p50_us": middle,
                "p50_low_us": middle * 0.99,
                "p50_high_us": middle * 1.01,
            }
    return record


def test_a_record_is_read_as_it_was_written(measured, tmp_path):
    path = tmp_path / "record.json"
    write(measured, path)
    assert read(path) == measured
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]


@pytest.mark.parametrize("fewer", ["old", "new"])
@pytest.mark.parametrize("old_format", [False, True])
def test_a_stopped_run_may_have_too_few_calls_to_tell(measured, new, fewer, old_format):
    """Each model was loaded five times or fewer, so a factor of 3 may come from a single load."""
    old, new = copy.deepcopy(measured), scaled(new, 3.0)
    short = old if fewer == "old" else new
    for row in short["rows"]:
        for summary in row.get("stages", {}).values():
            summary["calls"] = 25
    for record in (old, new):
        if old_format:  # the first records do not say how many calls a load has
            del record["calls_of_a_load"]
        else:
            record["calls_of_a_load"] = 5
    compared = compare_records(old, new, tolerance=0.1)
    assert {change.verdict for change in compared.changes} == {"too few calls to tell"}
    assert not compared.slower


def test_a_record_with_verdicts_of_before_is_still_compared(measured, new, tmp_path):
    """Too few calls used to be called indistinguishable."""
    measured = copy.deepcopy(measured)
    measured["rows"][1]["against_baseline"]["invoke"]["verdict"] = "indistinguishable"
    write(measured, tmp_path / "old.json")
    old = read(tmp_path / "old.json")
    require_comparable(old, new["environment"], SETTINGS)
    assert compare_records(old, scaled(new, 3.0), tolerance=0.1).slower


def test_figures_keep_their_full_precision(session, measured):
    row, summary = measured["rows"][0], session.rows[0].stages["invoke"]
    assert row["stages"]["invoke"]["p95_us"] == summary.p95_us
    assert row["stages"]["invoke"]["calls"] == 50
    assert measured["rows"][1]["against_baseline"]["invoke"]["ratio"] == (
        session.rows[1].against["invoke"].ratio
    )
    assert row["cold_start"]["median"]["total_ms"] == session.rows[0].cold[0].total_ms
    assert measured["format"] == FORMAT
    assert "There is no model nothing" in measured["rows"][2]["error"]


@pytest.mark.parametrize(
    ("factor", "tolerance", "verdict"),
    [
        (1.0, 0.1, "indistinguishable"),
        (1.09, 0.1, "indistinguishable"),
        (1.2, 0.1, "slower"),
        (1.2, 0.3, "indistinguishable"),
        (1.06, 0.02, "slower"),
        (0.8, 0.1, "faster"),
    ],
)
def test_the_tolerance_and_the_intervals_decide(measured, factor, tolerance, verdict):
    old = scaled(measured, 1.0)
    found = compare_records(old, scaled(old, factor), tolerance=tolerance)
    assert {change.verdict for change in found.changes} == {verdict}
    assert [change.stage for change in found.changes] == ["invoke", "end_to_end"] * 2
    assert found.slower is (verdict == "slower")
    for change in found.changes:
        assert change.ratio == pytest.approx(factor)
        assert change.low < change.ratio < change.high
    assert found.warnings == []


def test_a_wide_interval_is_no_regression(measured):
    old, new = scaled(measured, 1.0), scaled(measured, 1.5)
    for row in new["rows"][:2]:
        for stage in row["stages"].values():
            stage["p50_low_us"] = 0.6 * stage["p50_us"]
    assert not compare_records(old, new, tolerance=0.1).slower


def test_one_slower_stage_is_enough(measured):
    old = scaled(measured, 1.0)
    assert compare_records(old, scaled(old, 2.0, ["end_to_end"]), tolerance=0.1).slower


def test_with_other_images_only_the_model_alone_is_compared(measured, new):
    new["pictures_sha256"] = "others"
    found = compare_records(measured, new, tolerance=0.1)
    assert {change.stage for change in found.changes} == {"invoke"}
    assert "The images differ, so only the time of the model alone is compared." in found.warnings


def test_other_differences_are_warnings(measured, new):
    new["environment"]["packages"]["ai-edge-litert"] = "9.9"
    new["rows"][0]["model_sha256"] = "another"
    new["rows"][0]["delegate"] = "cpu"
    new["rows"].append({**new["rows"][0], "threads": 7})
    new["conditions"]["latency"]["disturbed"] = True
    old = copy.deepcopy(measured)
    old["interrupted"] = True
    said = " ".join(compare_records(old, new, tolerance=0.1).warnings)
    for part in (
        "and is 9.9 now.",
        "The file of ",
        "ran on xnnpack before, and on cpu now.",
        "threads 7, batch 1 is not in the previous record.",
        "The previous run was interrupted.",
        "The new run was disturbed; do not rely on the difference.",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("cpu", "Cortex-A76", "CPU: .* there, Cortex-A76 here"),
        ("cores", 64, r"cores: \d+ there, 64 here"),
        ("governor", "powersave", "frequency governor: .* there, powersave here"),
        ("instructions", ["neon"], "instruction sets: .* there, neon here"),
    ],
)
def test_another_machine_is_refused(measured, new, field, value, named):
    new["environment"][field] = value
    with pytest.raises(RecordError, match=rf"from another machine or setup \({named}\)"):
        require_comparable(measured, new["environment"], SETTINGS)


def test_the_same_machine_is_accepted(measured):
    require_comparable(measured, measured["environment"], SETTINGS)


@pytest.mark.parametrize("settings", [[Setting("cnn-int8")], [Setting("nothing")]])
def test_records_without_a_common_row_are_refused(measured, settings):
    with pytest.raises(RecordError, match="none of these models and settings"):
        require_comparable(measured, measured["environment"], settings)


@pytest.mark.parametrize("lost", ["rows", "environment", "conditions", "pictures_sha256"])
def test_a_damaged_record(measured, new, lost):
    del new[lost]
    with pytest.raises(RecordError, match="damaged"):
        require_comparable(new, measured["environment"], SETTINGS)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ("[1]", "but got something else"),
        ('{"format": "edge-benchmark 99"}', "but got edge-benchmark 99"),
    ],
)
def test_files_that_are_no_records(tmp_path, content, sentence):
    path = tmp_path / "old.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RecordError, match=sentence) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_the_text_names_every_change(measured, session):
    old = scaled(measured, 1.0)  # with narrow intervals, also on a loaded machine
    found = compare_records(old, scaled(old, 2.0), tolerance=0.1)
    text = regression_text(found, session, "old.json", 0.1)
    assert "Compared with old.json, tolerance 10%" in text
    assert text.count("slower") == 4  # rows
    assert "2.000" in text
