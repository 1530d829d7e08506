"""What every command shares: the app, its options, progress bars, the log, and how results are printed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from radiomics_vert import study as pipeline
from radiomics_vert.errors import Problem, SettingsError
from radiomics_vert.parallel import BACKENDS, workers_at
from radiomics_vert.parallel import Progress as MoveBar
from radiomics_vert.phrases import count

GOOD, PROBLEMS, BAD_INPUT = 0, 1, 2
DISCLAIMER = "Research software, not a diagnostic device."

app = typer.Typer(
    name="radiomics-vert",
    help=f"Radiomics of vertebral fractures, from images and masks to a reproducible report. {DISCLAIMER}",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

StudyFile = Annotated[Path, typer.Argument(help="study.yaml, or its folder.", show_default=False)]
OptionalStudy = Annotated[Path | None, typer.Argument(help="study.yaml, or its folder.", show_default=False)]
Workers = Annotated[
    int | None, typer.Option("--workers", "-j", help="Parallel workers instead of execution.workers.")
]
Backend = Annotated[
    str | None, typer.Option("--backend", help=f"Where the workers are: {', '.join(BACKENDS)}.")
]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", help="Address of a Dask scheduler, for --backend dask.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]
Features = Annotated[
    Path | None, typer.Option("--features", help="A feature table made elsewhere, instead of a study.")
]
Outcome = Annotated[str, typer.Option("--outcome", help="Outcome column of the table.")]
Positive = Annotated[str, typer.Option("--positive", help="Class whose probability is modelled.")]
Negative = Annotated[str | None, typer.Option("--negative", help="The other class, if there are several.")]
Group = Annotated[str, typer.Option("--group", help="Column that names the patient.")]
LevelColumn = Annotated[str | None, typer.Option("--level", help="Column with the vertebral level.")]
Covariates = Annotated[
    list[str] | None, typer.Option("--covariate", help="Covariate column; may be repeated.")
]
Drop = Annotated[list[str] | None, typer.Option("--drop", help="Column to leave out; may be repeated.")]
Expected = Annotated[str | None, typer.Option("--expected", help="Published digest of the model.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Folder for results and report.")]


class Bars:
    """Progress bars, one for each piece of work."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def watch(self, name: str) -> MoveBar:
        """Add a bar; return what moves it."""
        task = self._progress.add_task(escape(name), total=None)

        def move(done: int, total: int) -> None:
            self._progress.update(task, completed=done, total=total)

        return move


@contextmanager
def progress_bars(quiet: bool) -> Iterator[Bars]:
    """Yield progress bars on the terminal; hidden ones when `quiet`."""
    columns = (TextColumn("{task.description:42}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=quiet) as progress:
        yield Bars(progress)
        for task in progress.tasks:  # nothing was to be done: all was known, or nothing was there
            progress.update(task.id, visible=task.total is not None)


def require_workers(workers: int | None) -> None:
    """Refuse no workers at all."""
    if workers == 0:
        remedy = "use 1 for no parallelism, or -1 for all cores"
        raise SettingsError(Problem("RV602", "a number of workers", "0", "--workers", remedy))


@contextmanager
def running(
    path: Path,
    output: Path | None,
    workers: int | None,
    quiet: bool,
    backend: str | None = None,
    scheduler: str | None = None,
) -> Iterator[pipeline.Run]:
    """Yield the study at work: with bars on the terminal and a log in its output folder."""
    require_workers(workers)
    study = pipeline.load_study(path, output)
    execution = study.settings.execution
    hidden = quiet or not execution.progress
    place = workers_at(backend or execution.backend, scheduler or execution.scheduler)
    with place, progress_bars(hidden) as bars, _log_file(study.output / "run.log"):
        yield pipeline.Run(study, bars.watch, workers)


@contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Write what the package logs to `path`: what was recomputed and why, how long stages took."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("radiomics_vert")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
        handler.close()


def required_study(study: Path | None) -> Path:
    """Return the study that a command needs when no table is given."""
    if study is None:
        remedy = "give study.yaml, or --features TABLE with --outcome, --positive and --group"
        raise SettingsError(Problem("RV602", "a study or a feature table", "neither", "command line", remedy))
    return study


def tally(counts: dict[str, int]) -> str:
    """Return counts as text: `2 errors, 1 warning, 0 notes`."""
    return ", ".join(count(number, name) for name, number in counts.items())


def print_memory(run: pipeline.Run) -> None:
    """Print what the workers of the extraction needed, where something was computed."""
    if run.memory:
        out.print(run.memory, markup=False)


def print_results(results: Path, main_table: str) -> None:
    """Print the result in sentences, its main table, and how to get the report."""
    for sentence in pipeline.result_sentences(results):
        out.print(sentence, markup=False)
    out.print(f"{results / main_table}\nReport: radiomics-vert report {results.parent}", markup=False)
