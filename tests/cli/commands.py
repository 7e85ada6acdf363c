"""Running the command inside the tests."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from diagnosis.cli import app


def invoke(*arguments: object) -> Result:
    """Run `diagnosis` with these arguments."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="diagnosis")


def done(*arguments: object) -> Result:
    """Run a command that must succeed."""
    result = invoke(*arguments)
    assert result.exit_code == 0, (result.stderr, result.exception)
    return result


def refused(*arguments: object, status: int = 2) -> str:
    """Run a command that must be refused with a message and nothing on stdout; return the message."""
    result = invoke(*arguments)
    assert result.exit_code == status, (result.stdout, result.stderr, result.exception)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.split())
