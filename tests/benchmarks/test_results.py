import pytest

from benchmarks import results as stored
from benchmarks.results import Results, Subject

INT8 = Subject("cnn", "int8", delegate="xnnpack")


def test_results_are_read_as_they_were_written(tmp_path):
    results = Results(classes=["a", "b"])
    row = results.row(INT8, size_bytes=7, sha256="x")
    row.latency = {"p50_us": 1 / 3}
    results.write(tmp_path / "new" / "results.json")
    assert stored.read(tmp_path / "new" / "results.json") == results
    assert stored.read(tmp_path / "none.json") == Results()


def test_a_changed_file_starts_a_new_row():
    results = Results()
    results.row(INT8, sha256="x").latency = {"p50_us": 1}
    assert results.row(INT8, sha256="x").latency
    assert results.row(INT8, sha256="y").latency is None


def test_different_subjects_have_different_names():
    subjects = [
        INT8,
        Subject("cnn", "int8", delegate="cpu"),
        Subject("cnn", "int8", delegate="xnnpack", threads=2),
        Subject("cnn", "int8", delegate="xnnpack", batch=2),
        Subject("cnn", "int8", delegate="xnnpack", trained=False),
        Subject("cnn", "int8", "LiteRT"),
    ]
    assert len({subject.name for subject in subjects}) == len(subjects)


def test_a_damaged_file_is_an_error(tmp_path):
    path = tmp_path / "results.json"
    for text in ("{", "[]", '{"rows": [{}]}'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"results.json is damaged or from another"):
            stored.read(path)


def test_times_of_another_machine_and_rows_that_only_have_a_reason_are_dropped():
    results = Results()
    here, there, nothing = (
        results.row(Subject("cnn", precision)) for precision in ("int8", "float32", "any")
    )
    here.latency = {"machine": "this one"}
    there.latency, there.accuracy = {"machine": "that one"}, {"top1": 1}
    nothing.reasons = {"latency": "onnx not found"}
    results.forget(None)
    assert list(results.rows.values()) == [here, there]
    assert there.latency
    results.forget("this one")
    assert here.latency
    assert (there.latency, there.accuracy) == (None, {"top1": 1})
    assert there.reasons == {"latency": "the previous times are from another machine, that one"}


def test_what_was_measured_with_dropped_times_is_dropped_too():
    results = Results()
    here, there = results.row(INT8), results.row(Subject("resnet18", "int8"))
    here.latency, there.latency = {"machine": "this one"}, {"machine": "that one"}
    results.passes = {
        "accuracy": {"machine": "that one"},
        "latency of cnn": {"machine": "this one"},
        "latency of resnet18": {"machine": "that one"},
    }
    results.peak = {"cnn": {}, "resnet18": {}}
    results.cross_check = [{"name": here.subject.name}, {"name": there.subject.name}]
    results.forget(None)
    assert len(results.passes) == 3
    results.forget("this one")
    assert set(results.passes) == {"accuracy", "latency of cnn"}
    assert set(results.peak) == {"cnn"}
    assert results.cross_check == [{"name": here.subject.name}]
