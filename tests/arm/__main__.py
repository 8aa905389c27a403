"""Run the runtime's tests and classify images on emulated Arm CPUs.

    python -m tests.arm [--all]
    python -m tests.arm --record

The scores are compared with those of x86-64, which --record writes. The exit code is 1 if a test
fails or scores disagree. If no Arm CPU can be emulated, it is 0 after a loud message. On an Arm
machine, the machine itself is checked.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from numpy import float32
from numpy.typing import NDArray

from tests.arm import agreement, emulation, teaching
from tests.conftest import ROOT

IMAGES = 500
FEWER = 40  # images for the models that take long to emulate
LEARNT, FEWER_LEARNT = 10, 4  # images of each class
QUICK = "cnn-int8"  # the default model, which takes all images

# Tests of what depends on the CPU, on LiteRT, or on the wheels of numpy and Pillow.
TESTS = (
    "inference/test_metadata.py",
    "inference/test_preprocessing.py",
    "inference/test_quantization.py",
    "inference/test_scores.py",
    "test_results.py",
)
MORE_TESTS = (
    "inference/test_attachments.py",
    "inference/test_description.py",
    "inference/test_engine.py",
    "inputs/test_convert.py",
    "inputs/test_decode.py",
    "inputs/test_layouts.py",
    "inputs/test_resize.py",
    "jobs/test_pool.py",
    "output/test_formats.py",
    "test_classifier.py",
)

# Commands that must succeed. They run in the folder of the 500 images.
COMMANDS = (("edge-classify", "--info", "--delegate", "xnnpack", "cnn-int8"),)
MORE_COMMANDS = (("edge-benchmark", "--calls", "5", "--cold-starts", "1"),)


@dataclass(frozen=True)
class Machine:
    """An Arm CPU, emulated or not, on which this package is installed.

    Attributes:
        name: the CPU.
        commands: folder of `python` and the console scripts.
    """

    name: str
    commands: Path

    def checks(self, images: list[Path], *, everything: bool) -> Iterator[Callable[[], bool]]:
        """Yield the checks of models, tests and commands; each returns whether all is right.

        Those that take long come first, so that checks side by side end at the same time.
        """
        recorded = agreement.read()
        yield partial(self._teaches, images, LEARNT if everything else FEWER_LEARNT)
        for model, delegate in reversed([*agreement.cases()]):
            chosen = images if everything or model == QUICK else images[:FEWER]
            yield partial(self._agrees, model, delegate, chosen, recorded)
        yield partial(self._tests_pass, TESTS + MORE_TESTS * everything)
        for command in COMMANDS + MORE_COMMANDS * everything:
            yield partial(self._works, *command)

    def _tests_pass(self, tests: tuple[str, ...]) -> bool:
        files = [ROOT / "tests" / "edge_runtime" / name for name in tests]
        pytest = ["-m", "pytest", "--quiet", "-p", "no:cacheprovider", "--timeout=600", *files]
        with _timed(f"{self.name}: tests"):
            # A test that limits the size of files would leave broken bytecode behind.
            done = self._run("python", *pytest, folder=ROOT, PYTHONDONTWRITEBYTECODE="1")
        print(f"{self.name}: {done.stdout if done.returncode else done.stdout.splitlines()[-1]}")
        return done.returncode == 0

    def _works(self, program: str, *arguments: str) -> bool:
        with _timed(f"{self.name}: {' '.join((program, *arguments))}"):
            done = self._run(program, *arguments, folder=emulation.BUILD / "images")
        if done.returncode:
            print(f"{self.name}: FAILED with exit code {done.returncode}\n{done.stdout}")
        return done.returncode == 0

    def _teaches(self, images: list[Path], learnt: int) -> bool:
        folder = emulation.BUILD / "taught"
        with _timed(f"{self.name}: edge-teach"):
            try:
                here = teaching.scores_of_a_taught_model(
                    Path(sys.executable).parent,
                    folder / f"here, for {self.name}",
                    images,
                    learnt,
                    dict(os.environ),
                )
                scores = teaching.scores_of_a_taught_model(
                    self.commands, folder / self.name, images, learnt, _environment()
                )
                found = agreement.compare(scores, here)
            except (subprocess.CalledProcessError, ValueError) as exc:
                print(f"{self.name}: FAILED: {exc}")
                return False
        verdict = "agrees" if found else "DISAGREES"
        print(f"{self.name}: a taught model {verdict} with one taught here: {found}", flush=True)
        return bool(found)

    def _agrees(
        self,
        model: str,
        delegate: str,
        images: list[Path],
        recorded: dict[tuple[str, str], NDArray[float32]],
    ) -> bool:
        case = model, delegate
        fitting = agreement.record_for(*case)
        with _timed(f"{self.name}: {model}, {delegate}, {len(images)} images"):
            try:
                scores = agreement.classify(self.commands, *case, images, env=_environment())
                most = agreement.MOST_OF_BUILT_IN if fitting != case else agreement.MOST_DIFFERENCE
                found = agreement.compare(scores, recorded[fitting], most)
            except (subprocess.CalledProcessError, ValueError) as exc:
                print(f"{self.name}: FAILED: {exc}")
                return False
        verdict = "agrees" if found else "DISAGREES"
        print(f"{self.name}: {verdict} with {' '.join(fitting)} on x86-64: {found}")
        if fitting != case:
            other = agreement.compare(scores, recorded[case])
            print(f"{self.name}: for comparison, {' '.join(case)} on x86-64: {other}", flush=True)
        return bool(found)

    def _run(
        self, program: str, *arguments: str | Path, folder: Path, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.commands / program, *arguments],
            cwd=folder,
            env={**_environment(), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def main() -> int:
    """Check every CPU, or record, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.arm")
    parser.add_argument(
        "--all",
        action="store_true",
        help=f"run more tests, and classify {IMAGES} images with every model",
    )
    parser.add_argument(
        "--record", action="store_true", help="write the scores of this x86-64 machine"
    )
    options = parser.parse_args()
    images = [emulation.BUILD / "images" / f"{index:03}.png" for index in range(IMAGES)]
    agreement.write_images(emulation.BUILD / "images")
    here = Path(sys.executable).parent
    if options.record:
        if platform.machine() not in ("x86_64", "AMD64"):
            parser.error(f"--record is for x86-64, and this machine is {platform.machine()}.")
        agreement.write({c: agreement.classify(here, *c, images) for c in agreement.cases()})
        return 0
    try:
        machines = _machines(here)
    except emulation.Unavailable as exc:
        print(f"{'=' * 80}\nSKIPPED: nothing was checked on Arm.\n{exc}.\n{'=' * 80}")
        return 0
    except subprocess.CalledProcessError as exc:
        print(f"FAILED: the installation for Arm failed: {exc}")
        return 1
    with ThreadPoolExecutor(len(machines)) as executor:  # one queue, as one CPU is slower
        started = [
            [executor.submit(check) for check in machine.checks(images, everything=options.all)]
            for machine in machines
        ]
        wrong = [sum(not check.result() for check in checks) for checks in started]
    for machine, failed in zip(machines, wrong, strict=True):
        count = IMAGES if options.all else f"{IMAGES} ({FEWER} with models other than {QUICK})"
        print(f"{machine.name}: {count} images; {f'{failed} checks FAILED' if failed else 'right'}")
    return 1 if any(wrong) else 0


def _machines(here: Path) -> list[Machine]:
    if platform.machine() in ("aarch64", "arm64"):
        print("This machine is an Arm computer, so it is checked itself and emulates nothing.")
        return [Machine(platform.machine(), here)]
    with _timed("emulator"):
        emulator = emulation.emulator()
    version = subprocess.run([emulator, "--version"], capture_output=True, text=True, check=True)
    print(version.stdout.splitlines()[0])
    with _timed("Debian's packages for arm64"):
        emulation.build_sysroot()
    with _timed("wheel"):
        wheel = emulation.build_wheel()
    machines = []
    for cpu in emulation.CPUS:
        with _timed(f"installation for {cpu.name}"):
            commands = emulation.install(cpu, emulator, wheel)
        machines.append(Machine(f"{cpu.name} ({cpu.device})", commands))
    return machines


def _environment() -> dict[str, str]:
    """Return an environment in which no variable changes the emulator or its Python.

    PYTHONDONTWRITEBYTECODE among them would make every emulated start compile all modules.
    """
    own = ("PYTHON", "QEMU_", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {**kept, "XDG_CACHE_HOME": str(emulation.BUILD / "cache")}


@contextmanager
def _timed(step: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    print(f"{time.monotonic() - start:6.1f} s  {step}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
