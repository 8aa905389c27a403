"""A local web server for tests."""

import pytest

from edge_runtime.inference import shipped
from tests.edge_runtime.inputs.servers import PROXY_VARIABLES, give, serving

FROG = shipped.samples()["frog"]
CONTENT = FROG.read_bytes()


@pytest.fixture
def no_proxy(monkeypatch):
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def web():
    """Serve what a test puts under a path: a function that answers the request."""
    paths = {"/frog.png": lambda request: give(request, CONTENT)}

    def answer(request):
        paths.get(request.path.partition("?")[0], lambda r: give(r, code=404))(request)

    with serving(answer) as address:
        yield address, paths
