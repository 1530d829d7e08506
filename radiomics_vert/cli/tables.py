"""Commands that work on a study or on a table of features: analyze, validate, predict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from radiomics_vert import modeling
from radiomics_vert import study as pipeline
from radiomics_vert.cli.common import (
    DISCLAIMER,
    Covariates,
    Drop,
    Expected,
    Features,
    Group,
    LevelColumn,
    Negative,
    OptionalStudy,
    Outcome,
    Output,
    Positive,
    Quiet,
    Workers,
    app,
    err,
    out,
    print_results,
    progress_bars,
    require_workers,
    required_study,
    running,
)
from radiomics_vert.errors import Problem, SettingsError


@dataclass(frozen=True)
class _Roles:
    """What the columns of a feature table are, as the options say it."""

    outcome: str
    positive: str
    negative: str | None
    group: str
    level: str | None
    covariates: list[str] | None
    drop: list[str] | None

    def given(self) -> dict[str, object]:
        """Return the values by the names of the options."""
        return {
            "--outcome": self.outcome,
            "--positive": self.positive,
            "--negative": self.negative,
            "--group": self.group,
            "--level": self.level,
            "--covariate": self.covariates,
            "--drop": self.drop,
        }

    def table(self, features: Path, output: Path | None) -> pipeline.TableStudy:
        """Return the table with its roles, once those that it needs are named."""
        missing = [name for name in ("--outcome", "--positive", "--group") if not self.given()[name]]
        if missing:
            expected = "--outcome, --positive and --group together with a feature table"
            remedy = "name the outcome column, its positive class, and the column that names the patient"
            raise _wrong(expected, f"no {', no '.join(missing)}", remedy)
        return pipeline.TableStudy(
            features,
            self.outcome,
            self.positive,
            self.group,
            output or Path(f"{features.stem}_results"),
            self.negative,
            self.level,
            tuple(self.covariates or ()),
            tuple(self.drop or ()),
        )


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
    fdr: Annotated[
        float | None,
        typer.Option(help="False discovery rate (with --features; 0.05 unless given)."),
    ] = None,
    confidence: Annotated[
        float | None, typer.Option(help="Level of the intervals (with --features; 0.95 unless given).")
    ] = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Compare the classes feature by feature, for a study or for a table of features."""
    roles = _Roles(outcome, positive, negative, group, level, covariate, drop)
    rates = {"--fdr": fdr, "--confidence": confidence}
    if features is None:
        place = required_study(study)
        _refuse({**roles.given(), **rates}, "with --features only; study.yaml says it for a study")
        with running(place, output, workers, quiet) as run:
            run.analyze()
        print_results(run.study.records, "association_features.csv")
        return
    _refuse({"STUDY": study}, "or --features, not both")
    require_workers(workers)
    table = roles.table(features, output)
    with progress_bars(quiet) as bars:
        pipeline.analyze_table(
            table,
            confidence=0.95 if confidence is None else confidence,
            fdr=0.05 if fdr is None else fdr,
            n_jobs=-1 if workers is None else workers,
            watch=bars.watch,
        )
    _print_table_results(table, "association_features.csv")


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
        list[str] | None,
        typer.Option("--model", help="Model (with --features; elastic_net unless given); may be repeated."),
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(help="Repetitions (with --features; 10 unless given).")
    ] = None,
    outer_folds: Annotated[
        int | None, typer.Option(help="Outer folds (with --features; 5 unless given).")
    ] = None,
    inner_folds: Annotated[
        int | None, typer.Option(help="Inner folds (with --features; 5 unless given).")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the folds (with --features; 2026 unless given).")
    ] = None,
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
    roles = _Roles(outcome, positive, negative, group, level, covariate, drop)
    folds = {"--repeats": repeats, "--outer-folds": outer_folds, "--inner-folds": inner_folds}
    chosen = {"--model": model, **folds, "--seed": seed}
    locked = {"--bundle": bundle, "--expected": expected, "--prevalence": prevalence}
    if external:
        _refuse({"STUDY": study, "--features": features, **chosen}, "not with --external: nothing is fitted")
        _validate_elsewhere(_required_bundle(bundle), external, roles, output, prevalence or [], expected)
        return
    _refuse(locked, "with --external only")
    if features is None:
        place = required_study(study)
        _refuse({**roles.given(), **chosen}, "with --features only; study.yaml says it for a study")
        with running(place, output, workers, quiet) as run:
            run.validate()
        print_results(run.study.records, "validation_metrics.csv")
        return
    _refuse({"STUDY": study}, "or --features, not both")
    require_workers(workers)
    table = roles.table(features, output)
    spec = modeling.ValidationSpec(
        outer_folds=5 if outer_folds is None else outer_folds,
        inner_folds=5 if inner_folds is None else inner_folds,
        repeats=10 if repeats is None else repeats,
        seed=2026 if seed is None else seed,
    )
    with progress_bars(quiet) as bars:
        pipeline.validate_table(
            table,
            spec,
            model or ("elastic_net",),
            n_jobs=-1 if workers is None else workers,
            watch=bars.watch,
        )
    _print_table_results(table, "validation_metrics.csv")


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
    result = pipeline.predict_table(model, table, folder, expected)
    shown = result.frame()[["unit", "subject_id", "probability", "decision", "n_out_of_range", "n_missing"]]
    out.print(shown.to_string(index=False), markup=False)
    out.print(f"{DISCLAIMER}\n{folder / 'prediction_predictions.csv'}", markup=False)


def _validate_elsewhere(
    bundle: Path,
    tables: list[Path],
    roles: _Roles,
    output: Path | None,
    prevalence: list[float],
    expected: str | None,
) -> None:
    """Measure a locked model on tables of other cohorts; print the metrics and where the report is."""
    table = roles.table(tables[0], output)
    found = pipeline.validate_tables(bundle, tables, table, prevalence, expected).frame()
    columns = ["cohort", "metric", "estimate", "ci_low", "ci_high", "n"]
    out.print(found[columns].to_string(index=False), markup=False)
    page = pipeline.report_folder(table.records, table.output)
    out.print(f"{table.records / 'external_metrics.csv'}\n{DISCLAIMER}\n{page}", markup=False)


def _print_table_results(table: pipeline.TableStudy, main_table: str) -> None:
    """Print the results, after what the checks found: nobody looks at a table before it is analysed."""
    for code, title, explanation in pipeline.table_warnings(table.records):
        err.print(f"warning {code} {title}: {explanation}", markup=False)
    print_results(table.records, main_table)


def _refuse(given: Mapping[str, object], why: str) -> None:
    """Refuse options that would be ignored."""
    named = [name for name, value in given.items() if value not in (None, "", [])]
    if named:
        raise _wrong(f"{', '.join(named)} {why}", f"{', '.join(named)} given", "leave out one or the other")


def _wrong(expected: str, found: str, remedy: str) -> SettingsError:
    return SettingsError(Problem("RV602", expected, found, "command line", remedy))


def _required_bundle(bundle: Path | None) -> Path:
    if bundle is None:
        remedy = "name the folder of the model, such as results/model"
        raise _wrong("--bundle with --external", "no --bundle", remedy)
    return bundle
