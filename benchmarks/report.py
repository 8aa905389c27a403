"""The report of `python -m benchmarks`: an HTML page, a plot and a table in Markdown.

The HTML page contains everything that it needs, so it works without a network.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.report_plot import COLOURS, pareto
from benchmarks.report_table import markdown
from benchmarks.results import Results
from edge_runtime.support.files import replacing

_PAGE = Path(__file__).parent / "page"


def write(results: Results, folder: Path) -> list[Path]:
    """Write `report.html`, `pareto.png` and `report.md`.

    Returns:
        The paths of the three files.

    Raises:
        OSError: the folder cannot be written.
    """
    paths = files(folder)
    with replacing(paths[0]) as temporary:
        temporary.write_text(html(results), encoding="utf-8")
    with replacing(paths[1]) as temporary:
        temporary.write_text(markdown(results), encoding="utf-8")
    with replacing(paths[2]) as temporary:
        pareto(results).savefig(temporary, dpi=150)
    return paths


def files(folder: Path) -> list[Path]:
    """Return the paths of the page, the table and the plot."""
    return [folder / name for name in ("report.html", "report.md", "pareto.png")]


def html(results: Results) -> str:
    """Return the page, which contains its style, scripts and data."""
    record = results.record()
    record["colours"] = COLOURS
    data = json.dumps(record).replace("<", "\\u003c")  # so that no data can end the script
    page = (_PAGE / "report.html").read_text(encoding="utf-8")
    for name in ("report.css", "elements.js", "summary.js", "plot.js", "tables.js"):
        page = page.replace(f"/* {name} */", (_PAGE / name).read_text(encoding="utf-8"))
    return page.replace("/* data */", data)
