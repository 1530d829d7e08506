"""The command line: parse, call, print. Exit codes: 0 good, 1 finished with problems, 2 bad input."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from radiomics_vert.checks import Finding, findings_result, worst
from radiomics_vert.cohort import load_scheme, scheme_names
from radiomics_vert.config import write_templates
from radiomics_vert.errors import Problem, RadiomicsVertError, SettingsError
from radiomics_vert.modeling import ValidationSpec
from radiomics_vert.parallel import Progress as MoveBar
from radiomics_vert.phrases import count
from radiomics_vert.provenance import versions as installed_versions
from radiomics_vert.statistics import plan_sample_size
from radiomics_vert.storage import blanks_filled
from radiomics_vert.study import (
    MODEL,
    RECORDS,
    Run,
    TableStudy,
    analyze_table,
    finding_counts,
    load_study,
    predict_table,
    prepare_demo,
    report_folder,
    result_sentences,
    validate_table,
    validate_tables,
)

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


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="Folder to make.", show_default=False)]) -> None:
    """Write a commented study.yaml, images.csv, clinical.csv, a README and the schema of study.yaml."""
    for path in write_templates(folder):
        out.print(f"wrote {path}", markup=False)
    out.print(f"Fill them in, then: radiomics-vert check {folder / 'study.yaml'}", markup=False)


@app.command()
def check(study: StudyFile, workers: Workers = None, quiet: Quiet = False) -> None:
    """Tell everything that is wrong with a study, before any long work."""
    with _running(study, None, workers, quiet) as run:
        summary, findings = run.check()
    out.print(summary, markup=False)
    _print_findings(findings)
    raise typer.Exit(PROBLEMS if worst(findings) == "error" else GOOD)


@app.command()
def extract(study: StudyFile, output: Output = None, workers: Workers = None, quiet: Quiet = False) -> None:
    """Measure the features of all vertebrae of a study."""
    with _running(study, output, workers, quiet) as run:
        table = run.extract()
    out.print(
        f"{len(table.values)} of {table.n_cases} cases measured, {len(table.features)} features each; "
        f"{len(table.failures)} failed\n{run.study.features / 'features.csv'}",
        markup=False,
    )
    for row in blanks_filled(table.failures).to_dict("records"):
        err.print(f"  {row['case_id']}: {row['code']} {row['title']}: {row['found']}", markup=False)
    raise typer.Exit(PROBLEMS if len(table.failures) else GOOD)


@app.command()
def analyze(
    study: OptionalStudy = None,
    features: Features = None,
    outcome: Outcome = "",
    positive: Positive = "",
    negative: Negative = None,
    group: Group = "",
    level: LevelColumn = None,
    covariate: Covariates = None,
    drop: Drop = None,
    output: Output = None,
) -> None:
    """Compare the classes feature by feature, for a study or for a table of features."""
    if features is None:
        run = Run(load_study(_required_study(study), output))
        run.analyze()
        _print_results(run.study.records, "association_features.csv")
        return
    table = _table(features, outcome, positive, negative, group, level, covariate, drop, output)
    analyze_table(table)
    _print_results(table.records, "association_features.csv")


@app.command()
def validate(
    study: OptionalStudy = None,
    features: Features = None,
    outcome: Outcome = "",
    positive: Positive = "",
    negative: Negative = None,
    group: Group = "",
    level: LevelColumn = None,
    covariate: Covariates = None,
    drop: Drop = None,
    output: Output = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="Model (with --features); may be repeated.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="Repetitions (with --features).")] = 10,
    outer_folds: Annotated[int, typer.Option(help="Outer folds (with --features).")] = 5,
    inner_folds: Annotated[int, typer.Option(help="Inner folds (with --features).")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the folds (with --features).")] = 2026,
    external: Annotated[
        list[Path] | None, typer.Option(help="Feature table of another cohort; may be repeated.")
    ] = None,
    bundle: Annotated[Path | None, typer.Option(help="Locked model for --external.")] = None,
    expected: Expected = None,
    prevalence: Annotated[
        list[float] | None, typer.Option(help="Share of positives for predictive values (with --external).")
    ] = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Cross-validate the models by patient, for a study or for a table of features.

    With --external and --bundle, measure a locked model on other cohorts instead: nothing is refitted,
    recalibration beside it is fitted on the external data, and shared patients are refused.
    """
    if external:
        locked = _required_bundle(bundle)
        roles = _table(external[0], outcome, positive, negative, group, level, covariate, drop, output)
        found = validate_tables(locked, external, roles, prevalence or (), expected).frame()
        columns = ["cohort", "metric", "estimate", "ci_low", "ci_high", "n"]
        out.print(found[columns].to_string(index=False), markup=False)
        out.print(str(roles.records / "external_metrics.csv"), markup=False)
        return
    if features is None:
        with _running(_required_study(study), output, workers, quiet) as run:
            run.validate()
        _print_results(run.study.records, "validation_metrics.csv")
        return
    table = _table(features, outcome, positive, negative, group, level, covariate, drop, output)
    spec = ValidationSpec(outer_folds=outer_folds, inner_folds=inner_folds, repeats=repeats, seed=seed)
    with _progress(quiet) as bars:
        validate_table(
            table,
            spec,
            model or ("elastic_net",),
            n_jobs=-1 if workers is None else workers,
            watch=bars.watch,
        )
    _print_results(table.records, "validation_metrics.csv")


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="Folder of a model bundle (model/ of a study).")],
    table: Annotated[Path, typer.Argument(help="Feature table, or the features/ folder of a study.")],
    output: Output = None,
    expected: Expected = None,
) -> None:
    """Predict the vertebrae of a table with a locked model; nothing is refitted.

    Refuses a table made with other extraction parameters or without columns that the model uses; flags
    values outside the development data.
    """
    folder = output or Path(f"{table.stem}_prediction")
    result = predict_table(model, table, folder, expected)
    shown = result.frame()[["unit", "subject_id", "probability", "decision", "n_out_of_range", "n_missing"]]
    out.print(shown.to_string(index=False), markup=False)
    out.print(f"{DISCLAIMER}\n{folder / 'prediction_predictions.csv'}", markup=False)


@app.command()
def report(
    study: Annotated[
        Path, typer.Argument(help="study.yaml, its folder, or an output folder.", show_default=False)
    ],
) -> None:
    """Build the report from result tables; nothing is computed again."""
    if (study / RECORDS).is_dir() and not (study / "study.yaml").is_file():
        path = report_folder(study / RECORDS, study)
    else:
        path = Run(load_study(study)).report()
    out.print(str(path), markup=False)


@app.command()
def run(study: StudyFile, output: Output = None, workers: Workers = None, quiet: Quiet = False) -> None:
    """Do it all: extract, analyze, validate, report."""
    with _running(study, output, workers, quiet) as at_work:
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
    with _progress(quiet) as bars:
        study = prepare_demo(folder, n_jobs=-1 if workers is None else workers, watch=bars.watch)
    with _running(study.folder, output, workers, quiet) as at_work:
        path = at_work.run()
    raise typer.Exit(_close(at_work, path))


@app.command()
def plan(
    prevalence: Annotated[float, typer.Option(help="Share of vertebrae of the positive class.")],
    parameters: Annotated[int, typer.Option(help="Candidate parameters, before any selection.")],
    auc: Annotated[float | None, typer.Option(help="AUC that the model is expected to have.")] = None,
    shrinkage: Annotated[float, typer.Option(help="Smallest acceptable expected shrinkage.")] = 0.9,
    vertebrae_per_patient: Annotated[float, typer.Option(help="Mean number of vertebrae per patient.")] = 1.0,
    icc: Annotated[float, typer.Option(help="Correlation of the class within patients, 0 to 1.")] = 0.0,
) -> None:
    """Tell how many vertebrae and patients a model needs; needs no data."""
    needed = plan_sample_size(
        prevalence=prevalence,
        candidate_parameters=parameters,
        anticipated_auc=auc,
        shrinkage=shrinkage,
        vertebrae_per_patient=vertebrae_per_patient,
        icc=icc,
    )
    out.print(needed.frame().drop(columns="note").to_string(index=False), markup=False)
    for text in needed.frame()["note"].dropna().unique():
        out.print(text, markup=False)


@app.command()
def schemes() -> None:
    """List the label schemes of masks."""
    for name in scheme_names():
        out.print(f"{name:32}{load_scheme(name).title}", markup=False)


@app.command()
def versions() -> None:
    """Print the versions that a report records."""
    for name, version in installed_versions().items():
        out.print(f"{name:20}{version}", markup=False)


class _Bars:
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
def _progress(quiet: bool) -> Iterator[_Bars]:
    columns = (TextColumn("{task.description:42}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=quiet) as progress:
        yield _Bars(progress)


@contextmanager
def _running(path: Path, output: Path | None, workers: int | None, quiet: bool) -> Iterator[Run]:
    """Yield the study at work: with bars on the terminal and a log in its output folder."""
    if workers == 0:
        remedy = "use 1 for no parallelism, or -1 for all cores"
        raise SettingsError(Problem("RV602", "a number of workers", "0", "--workers", remedy))
    study = load_study(path, output)
    hidden = quiet or not study.settings.execution.progress
    with _progress(hidden) as bars, _log_file(study.output / "run.log"):
        yield Run(study, bars.watch, workers)


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


def _required_bundle(bundle: Path | None) -> Path:
    if bundle is None:
        remedy = "name the folder of the model, such as results/model"
        raise SettingsError(
            Problem("RV602", "--bundle with --external", "no --bundle", "command line", remedy)
        )
    return bundle


def _required_study(study: Path | None) -> Path:
    if study is None:
        remedy = "give study.yaml, or --features TABLE with --outcome, --positive and --group"
        raise SettingsError(Problem("RV602", "a study or a feature table", "neither", "command line", remedy))
    return study


def _table(
    features: Path,
    outcome: str,
    positive: str,
    negative: str | None,
    group: str,
    level: str | None,
    covariate: list[str] | None,
    drop: list[str] | None,
    output: Path | None,
) -> TableStudy:
    needed = {"--outcome": outcome, "--positive": positive, "--group": group}
    missing = [name for name, value in needed.items() if not value]
    if missing:
        expected = "--outcome, --positive and --group together with --features"
        remedy = "name the outcome column, its positive class, and the column that names the patient"
        found = f"no {', no '.join(missing)}"
        raise SettingsError(Problem("RV602", expected, found, "command line", remedy))
    roles = (tuple(covariate or ()), tuple(drop or ()))
    return TableStudy(
        features,
        outcome,
        positive,
        group,
        output or Path(f"{features.stem}_results"),
        negative,
        level,
        *roles,
    )


def _print_findings(findings: list[Finding]) -> None:
    for row in findings_result(findings).frame().to_dict("records"):
        concerned = f" [{row['n_cases']}: {row['cases'][:100]}]" if row["n_cases"] else ""
        out.print(f"{row['severity']:8}{row['code']} {row['title']}{concerned}", markup=False)
        out.print(f"  found:   {row['explanation']}\n  remedy:  {row['remedy']}", markup=False)
    counts = {s: sum(f.severity == s for f in findings) for s in ("error", "warning", "note")}
    out.print(_tally(counts), markup=False)


def _tally(counts: dict[str, int]) -> str:
    return ", ".join(count(number, name) for name, number in counts.items())


def _print_results(results: Path, main_table: str) -> None:
    for sentence in result_sentences(results):
        out.print(sentence, markup=False)
    out.print(f"{results / main_table}\nReport: radiomics-vert report {results.parent}", markup=False)


def _close(at_work: Run, path: Path) -> int:
    """Print the result in three sentences and the path of the report; return the exit code."""
    for sentence in result_sentences(at_work.study.records):
        out.print(sentence, markup=False)
    digest = at_work.facts.get("model_bundle")
    if digest:
        out.print(f"Model bundle {at_work.study.output / MODEL}, digest {digest}", markup=False)
    counts = finding_counts(at_work.study.records)
    out.print(f"The checks found {_tally(counts)}; the report lists them.", markup=False)
    out.print(f"{DISCLAIMER}\n{path}", markup=False)
    return PROBLEMS if counts["error"] else GOOD


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
