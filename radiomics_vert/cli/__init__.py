"""The command line: parse, call, print. Exit codes: 0 good, 1 finished with problems, 2 bad input."""

from __future__ import annotations

import sys

from radiomics_vert.cli import (  # noqa: F401 - each adds its commands to the app
    checking,
    manifest,
    signs,
    studies,
    tables,
    tools,
)
from radiomics_vert.cli.common import BAD_INPUT, app, err
from radiomics_vert.errors import Problem, RadiomicsVertError

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; problems are printed without a traceback and end with exit code 2."""
    try:
        app()
    except RadiomicsVertError as error:
        err.print(str(error), markup=False)
        sys.exit(BAD_INPUT)
    except OSError as error:
        expected, remedy = "a file or folder that can be used", "correct the path, or the rights to it"
        found = f"{type(error).__name__}: {error.strerror or error}"
        err.print(str(Problem("RV101", expected, found, str(error.filename or "disk"), remedy)), markup=False)
        sys.exit(BAD_INPUT)
