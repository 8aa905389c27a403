"""Record the right scores of the sample images: `python -m export.record_scores`.

`edge-classify --check` compares a device's scores with them. They are made on x86-64.
"""

from __future__ import annotations

import json
from typing import Any

from edge_runtime.inference import shipped
from edge_runtime.inference.check import RECORD, sample_scores
from edge_runtime.inference.model import Model
from edge_runtime.inference.placement import CPU_DELEGATES
from edge_runtime.support.files import file_sha256, replacing


def main() -> None:
    """Write the record of all shipped models into the package."""
    record: dict[str, Any] = {}
    for name, path in shipped.models().items():
        with Model(name, accept_all=True) as model:
            scores = {d: sample_scores(model, d)[0].round(6).tolist() for d in CPU_DELEGATES}
        record[name] = {"sha256": file_sha256(path), **scores}
    with replacing(RECORD) as temporary:
        temporary.write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
