"""Run the examples of the pages again and write what they print: `python -m tests.refresh_docs`.

Option tables are made again first. Outputs that differ only in what varies from run to run, as
times do, are left as they are. Commands marked `# not tested` are left, too.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from docs import option_tables
from tests import doc_examples
from tests.doc_examples import Block


def refreshed(block: Block, folder: Path) -> str:
    """Return the text of a block with what its commands print now."""
    doc_examples.prepare(folder, block.text)
    if block.language == "python":
        if block.text.startswith(f"# {doc_examples.NOT_TESTED}"):
            return block.text
        shown = doc_examples.printed_comments(block.text)
        lines = block.text.splitlines()
        code = lines[: len(lines) - len(shown)]
        printed = doc_examples.run_python(block, folder).splitlines()
        return "\n".join(code + [f"# {line}" for line in printed]) + "\n"
    text = ""
    for example in block.examples:
        output = example.output
        if example.is_tested:
            new = doc_examples.run(example, folder)
            steady = [doc_examples.steady(example.command, o) for o in (new, output)]
            if steady[0] != steady[1]:
                output = new.replace(f"{doc_examples.ROOT}/", "")
        text += f"$ {example.prompt}\n{output}"
    return text


def main() -> None:
    """Refresh the option tables, and the blocks of all pages or of some."""
    parser = argparse.ArgumentParser(prog="python -m tests.refresh_docs")
    parser.add_argument("pages", nargs="*", type=Path, help="pages to refresh; without any, all")
    parser.add_argument("--slow", action="store_true", help="run the blocks that take minutes too")
    arguments = parser.parse_args()
    wanted = [page.resolve() for page in arguments.pages] or doc_examples.PAGES
    option_tables.main()
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["XDG_CACHE_HOME"] = str(Path(temporary) / "cache")
        for language in ("console", "python"):
            for number, block in enumerate(doc_examples.blocks(language)):
                if block.page not in wanted or (block.is_slow and not arguments.slow):
                    continue
                folder = Path(temporary) / f"{language}-{number}"
                folder.mkdir()
                new = refreshed(block, folder)
                if new != block.text:
                    old = f"```{language}\n{block.text}```\n"
                    page = block.page.read_text()
                    assert page.count(old) == 1, f"{block} is there twice"
                    block.page.write_text(page.replace(old, f"```{language}\n{new}```\n"))
                    print(f"{block}: refreshed")


if __name__ == "__main__":
    main()
