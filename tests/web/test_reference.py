"""The committed results of the runtime, which the page's unit tests compare the page with."""

import json

from tests.web import reference


def test_the_reference_is_what_the_runtime_computes():
    committed = json.loads(reference.PATH.read_text())
    assert committed == json.loads(reference.text())
