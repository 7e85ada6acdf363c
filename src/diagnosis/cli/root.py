"""The command itself: its help, its version, and what becomes of an error."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from diagnosis.cli.output import say
from diagnosis.errors import DiagnosisError, InputError

__all__ = ["app", "config_app"]


#: The verbs as the help lists them: in the order in which one comes to need them.
_ORDER = ("demo", "check", "convert", "train", "tune", "evaluate", "compare", "suggest", "explain", "config")


# What the library says of its arguments, as the command has it.
_OPTIONS = (
    (r'on_seen="(\w+)"', r"--on-seen \1"),
    (r"name another, or pass overwrite=True", "name another folder, or empty it first"),
    (r'on_error="quarantine" \(diagnosis convert --quarantine FILE\)', "diagnosis convert --quarantine FILE"),
)


def _in_options(message: str) -> str:
    for ours, option in _OPTIONS:
        message = re.sub(ours, option, message, flags=re.IGNORECASE)
    return message


class _Reporting(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        """Return the verbs in the order of their use; a verb without a place there comes last."""
        names = super().list_commands(ctx)
        return [*(name for name in _ORDER if name in names), *(name for name in names if name not in _ORDER)]

    def invoke(self, ctx: Any) -> Any:
        """Run a verb; the library's errors become one message on stderr and exit status 2, 1 or 130."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            say(f"Error: {_in_options(str(error))}")
            raise typer.Exit(2) from None
        except DiagnosisError as error:
            say(f"Failed: {error}")
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            say("Stopped. Nothing was left half-written.")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            raise
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            say(f"Failed: {error.strerror or type(error).__name__}{where}")
            raise typer.Exit(1) from None


app = typer.Typer(
    name="diagnosis",
    cls=_Reporting,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, which may hold a patient's findings
    help="Learn from doctors' past cases; answer a new case with a ranked, calibrated and explained differential. "
    "It supports a clinician's decision. It is not for patients.",
    epilog="Exit status: 0 done (warnings included); 1 the work failed; 2 bad arguments or bad input; 130 stopped with "
    "Ctrl-C. Results go to stdout, messages to stderr. Example: diagnosis demo",
)
config_app = typer.Typer(
    no_args_is_help=True, help="About the config of a training run.", epilog="Example: diagnosis config schema"
)
app.add_typer(config_app, name="config")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"diagnosis {version('diagnosis')}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")]


@app.callback()
def _root(version: Version = False) -> None:
    pass
