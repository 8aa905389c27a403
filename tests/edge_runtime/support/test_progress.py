from io import StringIO

from edge_runtime.support.progress import show_line


def test_a_line_replaces_the_previous_one():
    stream = StringIO()
    show_line("loading", stream)
    show_line("", stream)
    assert stream.getvalue() == "\r\033[Kloading\r\033[K"


def test_without_a_terminal_nothing_is_shown():
    show_line("loading", None)


def test_a_closed_terminal_is_no_error():
    class ClosedTerminal(StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    show_line("loading", ClosedTerminal())
