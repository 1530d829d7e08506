"""Commands that work on a study or on a table of features: analyze, validate, predict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    out,
    print_results,
    progress_bars,
    required_study,
    running,
)
from radiomics_vert.errors import Problem, SettingsError
from radiomics_vert.modeling import ValidationSpec
from radiomics_vert.study import (
    Run,
    TableStudy,
    analyze_table,
    load_study,
    predict_table,
    report_folder,
    validate_table,
    validate_tables,
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
) -> None:
    """Compare the classes feature by feature, for a study or for a table of features."""
    if features is None:
        run = Run(load_study(required_study(study), output))
        run.analyze()
        print_results(run.study.records, "association_features.csv")
        return
    table = _table(features, outcome, positive, negative, group, level, covariate, drop, output)
    analyze_table(table)
    print_results(table.records, "association_features.csv")


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
        page = report_folder(roles.records, roles.output)
        out.print(f"{roles.records / 'external_metrics.csv'}\n{DISCLAIMER}\n{page}", markup=False)
        return
    if features is None:
        with running(required_study(study), output, workers, quiet) as run:
            run.validate()
        print_results(run.study.records, "validation_metrics.csv")
        return
    table = _table(features, outcome, positive, negative, group, level, covariate, drop, output)
    spec = ValidationSpec(outer_folds=outer_folds, inner_folds=inner_folds, repeats=repeats, seed=seed)
    with progress_bars(quiet) as bars:
        validate_table(
            table,
            spec,
            model or ("elastic_net",),
            n_jobs=-1 if workers is None else workers,
            watch=bars.watch,
        )
    print_results(table.records, "validation_metrics.csv")


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


def _required_bundle(bundle: Path | None) -> Path:
    if bundle is None:
        remedy = "name the folder of the model, such as results/model"
        raise SettingsError(
            Problem("RV602", "--bundle with --external", "no --bundle", "command line", remedy)
        )
    return bundle


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
