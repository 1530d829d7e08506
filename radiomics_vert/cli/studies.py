"""Commands that work on a study: init, extract, run, demo, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radiomics_vert import config
from radiomics_vert import study as pipeline
from radiomics_vert.cli.common import (
    DISCLAIMER,
    GOOD,
    PROBLEMS,
    Backend,
    Output,
    Quiet,
    Scheduler,
    StudyFile,
    Workers,
    app,
    err,
    out,
    print_memory,
    progress_bars,
    running,
    tally,
)
from radiomics_vert.storage import blanks_filled


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="Folder to make.", show_default=False)]) -> None:
    """Write a commented study.yaml, images.csv, clinical.csv, a README and the schema of study.yaml."""
    for path in config.write_templates(folder):
        out.print(f"wrote {path}", markup=False)
    out.print(f"Fill them in, then: radiomics-vert check {folder / 'study.yaml'}", markup=False)


@app.command()
def extract(
    study: StudyFile,
    output: Output = None,
    workers: Workers = None,
    quiet: Quiet = False,
    backend: Backend = None,
    scheduler: Scheduler = None,
) -> None:
    """Measure the features of all vertebrae of a study."""
    with running(study, output, workers, quiet, backend, scheduler) as run:
        table = run.extract()
    out.print(
        f"{len(table.values)} of {table.n_cases} cases measured, {len(table.features)} features each; "
        f"{len(table.failures)} failed\n{run.study.features / 'features.csv'}",
        markup=False,
    )
    for row in blanks_filled(table.failures).to_dict("records"):
        err.print(f"  {row['case_id']}: {row['code']} {row['title']}: {row['found']}", markup=False)
    print_memory(run)
    raise typer.Exit(PROBLEMS if len(table.failures) else GOOD)


@app.command()
def report(
    study: Annotated[
        Path, typer.Argument(help="study.yaml, its folder, or an output folder.", show_default=False)
    ],
) -> None:
    """Build the report from result tables; nothing is computed again."""
    if (study / pipeline.RECORDS).is_dir() and not (study / "study.yaml").is_file():
        path = pipeline.report_folder(study / pipeline.RECORDS, study)
    else:
        path = pipeline.Run(pipeline.load_study(study)).report()
    out.print(str(path), markup=False)


@app.command()
def run(
    study: StudyFile,
    output: Output = None,
    workers: Workers = None,
    quiet: Quiet = False,
    backend: Backend = None,
    scheduler: Scheduler = None,
) -> None:
    """Do it all: extract, analyze, validate, report."""
    with running(study, output, workers, quiet, backend, scheduler) as at_work:
        path = at_work.run()
    raise typer.Exit(_close(at_work, path))


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder of the demo study.")] = Path("radiomics_vert_demo"),
    output: Output = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Make the synthetic cohort and run the whole study on it."""
    with progress_bars(quiet) as bars:
        study = pipeline.prepare_demo(folder, n_jobs=-1 if workers is None else workers, watch=bars.watch)
    with running(study.folder, output, workers, quiet) as at_work:
        path = at_work.run()
    raise typer.Exit(_close(at_work, path))


def _close(at_work: pipeline.Run, path: Path) -> int:
    """Print the result in three sentences and the path of the report; return the exit code."""
    for sentence in pipeline.result_sentences(at_work.study.records):
        out.print(sentence, markup=False)
    digest = at_work.facts.get("model_bundle")
    if digest:
        out.print(f"Model bundle {at_work.study.output / pipeline.MODEL}, digest {digest}", markup=False)
    print_memory(at_work)
    counts = pipeline.finding_counts(at_work.study.records)
    out.print(f"The checks found {tally(counts)}; the report lists them.", markup=False)
    out.print(f"{DISCLAIMER}\n{path}", markup=False)
    return PROBLEMS if counts["error"] else GOOD
