import json

import pytest

from edge_runtime.errors import ClusterError, ImageError, OutputError
from edge_runtime.results import LAYOUT, Prediction, Result

pytest.importorskip("pyarrow")
import pyarrow.parquet as pq
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from edge_runtime.output.parts import Count, Parts

RESULTS = [
    ("a.png", Result((Prediction("cat", 3, 0.75), Prediction("dog", 5, 0.25)), model="m")),
    ('b", "error": ".png', Result(error=ImageError('no "file"'))),
    ("bro\udcffken.png", Result(accepted=False, model="m")),
]
JOB = {"model": "m", "top_k": 1}
ABC, DEF = "abc" + 13 * "0", "def" + 13 * "0"


@pytest.fixture(params=["parquet", "json"])
def kind(request):
    return request.param


def begun(out, kind="parquet", job=JOB, *, resume=False, overwrite=False):
    parts = Parts(str(out), kind)
    parts.begin(job, resume=resume, overwrite=overwrite)
    return parts


def test_a_part_holds_every_result_and_counts_failures(tmp_path, kind):
    parts = begun(tmp_path / "out", kind)
    name = parts.name(7, ABC)
    assert parts.count(name) is None
    assert parts.write(name, iter(RESULTS), "xnnpack") == Count(3, 1)
    assert parts.count(name) == Count(3, 1)
    parts.finish({name})
    [path] = (tmp_path / "out").glob("part-*")
    assert path.name.startswith(f"part-000007-{ABC}.")
    if kind == "json":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert [row["source"] for row in rows] == [source for source, _ in RESULTS]
        assert [row.get("error") for row in rows] == [None, 'no "file"', None]
        assert rows[0]["delegate"] == "xnnpack"
        return
    table = pq.read_table(tmp_path / "out")
    assert table.to_pylist() == [
        {
            "source": "a.png",
            "predictions": [
                {"label": "cat", "index": 3, "score": 0.75},
                {"label": "dog", "index": 5, "score": 0.25},
            ],
            "accepted": True,
            "model": "m",
            "delegate": "xnnpack",
            "error": None,
            "layout": LAYOUT,
        },
        {
            "source": 'b", "error": ".png',
            "predictions": None,
            "accepted": None,
            "model": None,
            "delegate": None,
            "error": 'no "file"',
            "layout": LAYOUT,
        },
        {
            "source": "bro\\udcffken.png",
            "predictions": [],
            "accepted": False,
            "model": "m",
            "delegate": "xnnpack",
            "error": None,
            "layout": LAYOUT,
        },
    ]


def test_the_folder_appears_when_all_is_done(tmp_path, kind):
    out = tmp_path / "out"
    parts = begun(out, kind)
    name = parts.name(0, ABC)
    parts.write(name, RESULTS, "cpu")
    assert not out.exists()
    assert sorted(p.name for p in (tmp_path / "out.part").iterdir()) == ["_job.json", name]
    parts.finish({name})
    assert sorted(p.name for p in out.iterdir()) == ["_job.json", name]
    assert not (tmp_path / "out.part").exists()


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b""])
def test_a_damaged_part_is_not_taken_for_whole(tmp_path, kind, damage):
    parts = begun(tmp_path / "out", kind)
    name = parts.name(0, ABC)
    parts.write(name, RESULTS, "cpu")
    path = tmp_path / "out.part" / name
    path.write_bytes(damage(path.read_bytes()))
    assert parts.count(name) != Count(3, 1)
    parts.write(name, RESULTS, "cpu")
    assert parts.count(name) == Count(3, 1)


def test_what_does_not_belong_goes_when_all_is_done(tmp_path, kind):
    """A part of files that are there no longer, and a write that was cut short."""
    parts = begun(tmp_path / "out", kind)
    old, new = parts.name(0, ABC), parts.name(0, DEF)
    parts.write(old, RESULTS, "cpu")
    parts.write(new, RESULTS[:1], "cpu")
    (tmp_path / "out.part" / f".{new}.{32 * '0'}").write_bytes(b"half")
    parts.finish({new})
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["_job.json", new]


@pytest.mark.parametrize("finished", [False, True])
def test_resume_keeps_the_parts_and_a_new_job_does_not(tmp_path, finished):
    parts = begun(tmp_path / "out")
    name = parts.name(0, ABC)
    parts.write(name, RESULTS, "cpu")
    if finished:
        parts.finish({name})
    assert begun(tmp_path / "out", resume=True).count(name) == Count(3, 1)
    with pytest.raises(OutputError, match="add --resume to continue it, or --overwrite to start"):
        begun(tmp_path / "out")
    assert begun(tmp_path / "out", resume=True).count(name) == Count(3, 1)
    assert begun(tmp_path / "out", overwrite=True).count(name) is None


def test_a_finished_folder_stays_until_the_next_is_done(tmp_path):
    parts = begun(tmp_path / "out")
    parts.write(parts.name(0, ABC), RESULTS, "cpu")
    parts.finish({parts.name(0, ABC)})
    again = begun(tmp_path / "out", overwrite=True)
    again.write(again.name(0, DEF), RESULTS, "cpu")
    assert pq.read_table(tmp_path / "out").num_rows == 3
    again.finish({again.name(0, DEF)})
    assert [p.name for p in (tmp_path / "out").glob("part-*")] == [again.name(0, DEF)]


def test_another_job_is_not_gone_on_with(tmp_path):
    begun(tmp_path / "out")
    with pytest.raises(ClusterError, match=r"written with a different --top-k; use --overwrite"):
        begun(tmp_path / "out", job=JOB | {"top_k": 2}, resume=True)
    begun(tmp_path / "out", job=JOB | {"top_k": 2}, overwrite=True)


@pytest.mark.parametrize("name", ["out", "out.part"])
@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("file", ["holiday.jpg", ".git", "part-00000-abc.snappy.parquet"])
def test_what_is_not_ours_is_not_replaced(tmp_path, name, resume, file):
    (tmp_path / name).mkdir()
    (tmp_path / name / file).write_bytes(b"precious")
    with pytest.raises(ClusterError, match=f"{name} contains {file}, which is not a result"):
        begun(tmp_path / "out", resume=resume)
    assert (tmp_path / name / file).read_bytes() == b"precious"


def test_what_a_crash_left_is_ours(tmp_path):
    """A manifest, or a part whose move to its name was cut short."""
    folder = tmp_path / "out.part"
    folder.mkdir()
    part = f"part-{7:06}-{'0' * 16}.parquet"
    for name in (part, f".{part}.{'f' * 32}", f"._job.json.{'f' * 32}"):
        (folder / name).touch()
    begun(tmp_path / "out", overwrite=True)
    assert [path.name for path in folder.iterdir()] == ["_job.json"]


def test_a_finished_folder_in_which_something_else_lies_stays(tmp_path):
    parts = begun(tmp_path / "out")
    name = parts.name(0, ABC)
    parts.write(name, RESULTS, "cpu")
    parts.finish({name})
    (tmp_path / "out" / ".ipynb_checkpoints").mkdir()
    for resume in (False, True):
        with pytest.raises(
            ClusterError, match=r"contains \.ipynb_checkpoints, which is not a result"
        ):
            begun(tmp_path / "out", resume=resume)
    assert pq.read_table(tmp_path / "out" / name).num_rows == 3


def test_what_comes_in_while_it_runs_is_not_deleted(tmp_path):
    parts = begun(tmp_path / "out")
    (tmp_path / "out.part" / "notes.txt").write_text("precious")
    (tmp_path / "out.part" / "folder").mkdir()
    parts.finish(set())
    assert (tmp_path / "out" / "notes.txt").read_text() == "precious"


@pytest.mark.parametrize("content", ["", "{", "[]x", "5"])
def test_a_damaged_manifest_is_one_sentence(tmp_path, content):
    begun(tmp_path / "out")
    (tmp_path / "out.part" / "_job.json").write_text(content)
    with pytest.raises(ClusterError, match=r"out\.part/_job\.json is damaged; delete"):
        begun(tmp_path / "out", resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_two_runs_do_not_mix_their_parts(tmp_path, resume):
    first = begun(tmp_path / "out")
    first.write(first.name(0, ABC), RESULTS, "cpu")
    second = begun(tmp_path / "out", resume=resume, overwrite=not resume)
    for late in (
        lambda: first.write(first.name(1, DEF), RESULTS, "cpu"),
        lambda: first.finish(set()),
    ):
        with pytest.raises(
            ClusterError, match="now belongs to another run; give each run its own --out"
        ):
            late()
    assert second.count(second.name(1, DEF)) is None
    second.finish({second.name(0, ABC)} if resume else set())
    assert len(list((tmp_path / "out").glob("part-*"))) == resume


def test_a_file_in_the_way_is_not_replaced(tmp_path):
    (tmp_path / "out").write_text("results of a run without --ray")
    with pytest.raises(ClusterError, match="out is a file, so it is not replaced"):
        begun(tmp_path / "out")


def test_a_file_system_without_folders_to_rename(tmp_path, monkeypatch):
    """Object stores move file by file; one that is not local stands for them."""
    tree = SubTreeFileSystem(str(tmp_path), LocalFileSystem())
    monkeypatch.setattr("edge_runtime.output.parts.locate", lambda name: (tree, name))
    parts = begun("bucket/out")
    names = {parts.name(number, ABC) for number in range(40)}
    for name in names:
        parts.write(name, RESULTS, "cpu")
    parts.finish(names)
    assert {p.name for p in (tmp_path / "bucket" / "out").iterdir()} == names | {"_job.json"}
    assert not (tmp_path / "bucket" / "out.part").exists()


def test_an_unknown_file_system_is_one_sentence():
    with pytest.raises(ClusterError, match=r"nosuch://x/out cannot be written to .* check --out"):
        Parts("nosuch://x/out", "json")
