"""The command `diagnosis`: parsing and printing only.

Results go to stdout, messages to stderr. Exit status: 0 done, 1 the work failed, 2 bad arguments or bad input,
130 stopped with Ctrl-C. What a verb needs is imported when it runs, so that the help comes at once.
"""

import warnings

from diagnosis.cli import model_verbs, records_verbs, training_verbs  # noqa: F401  each adds its verbs to the command
from diagnosis.cli.output import one_line
from diagnosis.cli.root import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command; the entry point `diagnosis`."""
    warnings.formatwarning = one_line
    app(prog_name="diagnosis")
