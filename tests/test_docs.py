"""The README and the guides: every example runs and prints what they say, every link leads on."""

import re

import pytest

import edge_runtime
from docs import option_tables
from edge_runtime import errors
from edge_runtime.inputs.decode import SUFFIXES
from tests import doc_examples
from tests.conftest import ROOT
from tests.doc_examples import NOT_TESTED, PAGES

README = (ROOT / "README.md").read_text()
RESULTS = (ROOT / "docs" / "results.md").read_text()
GUIDES = [page for page in PAGES if page.parent == ROOT / "docs"]
names = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 130


def test_the_readme_opens_with_the_two_commands_and_ones_own_classes():
    examples = [e for b in doc_examples.blocks("console") for e in b.examples]
    assert [e.command for e in examples][:2] == ["make demo", "make test"]
    assert examples[2].command.startswith("edge-teach ")


def console_blocks():
    return [
        pytest.param(block, id=str(block), marks=[pytest.mark.slow] * block.is_slow)
        for block in doc_examples.blocks("console")
    ]


@pytest.mark.parametrize("block", console_blocks())
@pytest.mark.timeout(1200)
def test_commands_print_what_the_page_says(block, tmp_path):
    for extra, module in (
        ("--ray", "ray"),
        ("export.micro", "tflite_micro"),
        ("clip", "cv2"),
        ("openvino", "openvino"),
    ):
        if extra in block.text:
            pytest.importorskip(module)
    if "benchmarks.accuracy" in block.text and not doc_examples.data().exists():
        pytest.skip("the CIFAR-10 archive is not there; name it with EDGE_CIFAR10")
    assert block.examples
    doc_examples.prepare(tmp_path, block.text)
    for example in block.examples:
        if example.is_tested:
            output = doc_examples.run(example, tmp_path)
            shown, expected = (
                doc_examples.steady(example.command, text) for text in (output, example.output)
            )
            assert shown == expected, example.command
        else:
            doc_examples.check_usage(example.command)


@pytest.mark.parametrize("block", doc_examples.blocks("python"), ids=str)
def test_python_prints_what_the_page_says(block, tmp_path):
    if block.text.startswith(f"# {NOT_TESTED}"):
        compile(block.text, str(block), "exec")
        return
    if doc_examples.CLIP in block.text:
        pytest.importorskip("cv2")
    if "'openvino'" in block.text:
        pytest.importorskip("openvino")
    doc_examples.prepare(tmp_path, block.text)
    printed = doc_examples.run_python(block, tmp_path).splitlines()
    assert printed == doc_examples.printed_comments(block.text)


def test_what_is_not_tested_says_why():
    for block in doc_examples.blocks("console"):
        for example in block.examples:
            comment = example.prompt.partition("  # ")[2]
            assert not comment.startswith("not tested") or len(comment) > len(NOT_TESTED)


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_option_tables_are_current(page):
    """`python -m docs.option_tables` makes them again."""
    assert option_tables.updated(page.read_text()) == page.read_text()


def test_every_command_has_its_table():
    text = "".join(page.read_text() for page in GUIDES)
    for command in option_tables.COMMANDS:
        assert f"<!-- options: {command}" in text


@pytest.fixture(scope="module")
def options():
    """Every option of every command."""
    found = {"--slow", "--record"}  # of `python -m tests.refresh_docs` and `tests.arm`
    for line in option_tables.COMMANDS:
        command, _ = option_tables.find_command(line.split())
        for each in [command, *getattr(command, "commands", {}).values()]:
            for name, _, _ in option_tables.rows(each):
                found |= {*re.findall(r"--[a-z][\w-]+", name)}
    return found


@names
def test_options_in_the_text_exist(page, options):
    mentioned = re.findall(r"`[^`\n]*?(--[a-z][\w-]+)", page.read_text())
    assert {*mentioned} - options == set()


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text()), link


def test_every_guide_is_on_the_front_page():
    for page in GUIDES:
        assert f"](docs/{page.name})" in README


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_a_guide_opens_with_its_command(page):
    opening = page.read_text().partition("\n## ")[0]
    assert page.name == "architecture.md" or re.search(r"^```(console|python)$", opening, re.M)


def test_the_figures_of_the_front_page_are_those_of_the_results():
    rows = re.findall(r"^\| `[\w-]+` .*$", README, re.MULTILINE)
    assert len(rows) == 3
    for row in rows:
        for figure in re.findall(r"\d[\d.,]*", row.partition("` ")[2]):
            assert figure in RESULTS, row


def test_the_table_of_formats_has_every_suffix():
    page = (ROOT / "docs" / "formats.md").read_text()
    cells = re.findall(r"^\| [^|]+ \| ((?:\.\w+ ?)+)\|", page, re.MULTILINE)
    assert sorted(" ".join(cells).split()) == sorted(SUFFIXES)


def test_every_error_is_public_and_documented():
    table = (ROOT / "docs" / "python.md").read_text()
    for name, error in vars(errors).items():
        if isinstance(error, type):
            assert getattr(edge_runtime, name) is error
            assert name in edge_runtime.__all__
            assert f"`{name}`" in table
