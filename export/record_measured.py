"""Keep what was measured about the shipped models: `python -m export.record_measured`.

Exports without the data set take it from there, see `export.measured`.
"""

from __future__ import annotations

import json
import sys

from edge_runtime.inference import shipped
from edge_runtime.inference.metadata import read_metadata
from edge_runtime.support.console import complain
from edge_runtime.support.files import replacing
from export.measured import RECORD, key, part


def main() -> int:
    """Write the record of all shipped models, and return the exit code."""
    record = {}
    for name, path in shipped.models().items():
        card = read_metadata(path).card
        if "acceptance" not in card:
            complain(
                f"{name} was exported without the data set; export it again with --data.",
                program="export",
            )
            return 1
        record[key(card)] = part(card)
    with replacing(RECORD) as temporary:
        temporary.write_text(json.dumps(record) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
