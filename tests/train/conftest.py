"""What the tests of training share."""

from typer.testing import CliRunner, Result

from train.__main__ import app


def command(*arguments) -> Result:
    """Run `python -m train` in this process: a new one imports TensorFlow first, for 5 seconds."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])
