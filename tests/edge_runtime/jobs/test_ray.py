"""The job on a Ray cluster; it is the local one's row by row."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.png_folder import make_png_folder
from benchmarks.processes import descendants
from edge_runtime import Classifier
from edge_runtime.errors import ClusterError
from edge_runtime.inference import shipped
from edge_runtime.jobs.job import Job
from tests.conftest import run

pytest.importorskip("ray")
from edge_runtime.jobs import ray as cluster

SAMPLES = sorted(map(str, shipped.samples().values()))


def command(*arguments, **options):
    """Run `edge-classify` on a cluster that it starts, unless told another."""
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    environment |= options.pop("env", {})
    return run("edge-classify", *arguments, "--ray", env=environment, **options)


def joined(folder):
    """Return the JSON lines of all parts."""
    return b"".join(path.read_bytes() for path in sorted(Path(folder).glob("part-*")))


def local(*arguments, cwd):
    """Return the JSON lines of the local command, on one thread as each of a cluster's engines."""
    run("edge-classify", *arguments, "--json", "--threads", "1", "--out", "local.jsonl", cwd=cwd)
    return (Path(cwd) / "local.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "--ray writes a folder"),
        (["--json"], "--ray writes a folder"),
        (["--json", "--out", ""], "expected --out to be a name"),
        (["--out", "x"], "--ray writes a folder"),
        (["--out", "x.parquet", "--json"], "--ray writes a folder"),
        (["--out", "x.parquet", "--csv"], "--ray writes a folder"),
        (["--out", "x.parquet", "--delegate", "gpu"], "xnnpack or cpu, but got gpu"),
        (["--out", "x.parquet", "--max-frames", "3"], "--ray takes no --max-frames"),
        (["--out", "x.parquet", "--every", "2"], "--ray takes no --max-frames"),
        (["--out", "x.parquet", "camera:0"], "but got camera:0"),
        (["--out", "x.parquet", "film.mp4"], "but got film.mp4"),
        (["--out", "x.parquet", "-"], "but got -"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(arguments, sentence, tmp_path):
    result = command(SAMPLES[0], *arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert sentence in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_it_says_how_to_install_it(tmp_path):
    script = (
        "import sys; sys.modules['ray'] = None;"
        f"sys.argv = ['edge-classify', {SAMPLES[0]!r}, '--ray', '--out', 'x.parquet'];"
        "from edge_runtime.cli.main import main; main()"
    )
    result = run("-c", script, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "edge-classify: --ray needs Ray; pip install 'edge-classify[ray]'.\n"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense", "ray://127.0.0.1:10001"])
def test_a_cluster_that_cannot_be_reached(address, tmp_path):
    before = tmp_path / "x.parquet.part"
    before.mkdir()
    (before / "_job.json").write_text("{}")
    started = time.monotonic()
    result = command(SAMPLES[0], "--out", "x.parquet", env={"RAY_ADDRESS": address}, cwd=tmp_path)
    assert time.monotonic() - started < 120  # Ray itself would wait for many minutes
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert address in result.stderr
    assert (before / "_job.json").read_text() == "{}"  # what is there is not lost over it


def test_ray_that_is_not_up_in_time(monkeypatch, tmp_path):
    """On a machine that is too busy: Ray's own exception has no class of its own."""

    def late(**options):
        raise Exception("The current node timed out during startup.")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(cluster.ray, "init", late)
    job = Job(format="json", out=str(tmp_path / "results"))
    with Classifier() as classifier, pytest.raises(ClusterError, match="timed out during startup"):
        cluster.run(classifier, SAMPLES[:1], job, actors=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_rows_are_the_local_command_s(tmp_path):
    """Byte for byte: errors, odd names, another directory than the cluster's, no answer at all."""
    folder = tmp_path / "pictures"
    make_png_folder(folder, 300)
    (folder / "text.png").write_bytes(b"no picture")
    shutil.copy(SAMPLES[0], folder / os.fsdecode(b"bro\xffken.png"))
    arguments = ["pictures", "nothing*.png", "none.png", "--top-k", "2", "--threshold", "0.5"]
    result = command(*arguments, "--json", "--out", "results", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    *complaints, summary = result.stderr.splitlines()
    assert [line.split(";")[0] for line in complaints] == [
        "edge-classify: pictures/text.png is not an image of a known format",
        "edge-classify: nothing*.png matches no file",
        "edge-classify: There is no file none.png",
    ]
    assert summary.startswith("edge-classify: 301 classified, 3 failed, ")
    assert len(list((tmp_path / "results").glob("part-*"))) == 2
    assert joined(tmp_path / "results") == local(*arguments, cwd=tmp_path)
    assert not (tmp_path / "results.part").exists()


@pytest.fixture(scope="module")
def many_pictures(tmp_path_factory):
    """A directory with 20,000 pictures, and the local command's lines about them."""
    directory = tmp_path_factory.mktemp("many")
    make_png_folder(directory / "pictures", 20_000)
    return directory, local("pictures", cwd=directory)


@pytest.fixture(scope="module")
def two_nodes():
    """The address of a cluster of two nodes, a core each, on this machine."""
    from ray.cluster_utils import Cluster

    nodes = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    nodes.add_node(num_cpus=1)
    yield nodes.address
    nodes.shutdown()


@pytest.fixture
def many(many_pictures):
    """The same without the results of a previous test."""
    directory, expected = many_pictures
    for name in ("results", "results.part"):
        shutil.rmtree(directory / name, ignore_errors=True)
    return directory, expected


def started(cwd, *options, **environment):
    program = Path(sys.executable).parent / "edge-classify"
    arguments = ["pictures", "--ray", "--json", "--out", "results", *options]
    own = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | environment
    return subprocess.Popen(
        [program, *arguments], cwd=cwd, env=own, stderr=subprocess.PIPE, text=True
    )


def wait_for_parts(process, folder, count):
    deadline = time.monotonic() + 120
    while len(list(folder.glob("part-*"))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_nodes_give_the_local_rows_of_20000_images(many, two_nodes):
    directory, expected = many
    process = started(directory, RAY_ADDRESS=two_nodes)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert joined(directory / "results") == expected


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_killing_workers_in_the_middle_loses_and_doubles_nothing(many, two_nodes):
    directory, expected = many
    process = started(directory, RAY_ADDRESS=two_nodes)
    for parts in (5, 20):
        wait_for_parts(process, directory / "results.part", parts)
        [victim, *_] = [
            pid
            for pid in descendants(os.getpid())
            if b"MapWorker" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        os.kill(victim, signal.SIGKILL)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert errors.count("20,000 classified, 0 failed") == 1
    assert joined(directory / "results") == expected


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_job_goes_on(many, stop):
    directory, expected = many
    process = started(directory)
    wait_for_parts(process, directory / "results.part", 10)
    process.send_signal(stop)
    _, errors = process.communicate(timeout=60)
    if stop != signal.SIGKILL:
        assert process.returncode == 130
        assert "Run the same command with --resume to continue." in errors
    part = directory / "results.part"
    time.sleep(3)  # what Ray has started ends after it
    kept = {path.name: path.stat().st_mtime_ns for path in part.glob("part-*")}
    assert 10 <= len(kept) < 75
    process = started(directory, "--resume")
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    results = directory / "results"
    images = sum(len((results / name).read_bytes().splitlines()) for name in kept)
    assert f"{20_000 - images:,} classified" in errors
    assert f"({images:,} kept)" in errors
    assert {name: (results / name).stat().st_mtime_ns for name in kept} == kept
    assert joined(results) == expected
    shutil.rmtree(results)


@pytest.mark.slow
def test_the_benchmark_prints_ratios():
    result = run("-m", "benchmarks.cluster", "--files", "100", "--times", "3")
    assert result.returncode == 0, result.stderr
    first, second, last = result.stdout.splitlines()
    assert first.startswith("100 files: ")
    assert second.startswith("300 files: ")
    assert last.startswith("each additional image: ")
    assert all(" ratio " in line for line in (first, second, last))
