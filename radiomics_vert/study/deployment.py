"""A model that leaves the study: written as a bundle, used on new tables, measured on other cohorts."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from radiomics_vert.dataset import feature_matrix
from radiomics_vert.errors import Problem, SettingsError, TableError
from radiomics_vert.feature_table import FeatureTable
from radiomics_vert.modeling import fit_final, load_bundle, predict, save_bundle, validate_external
from radiomics_vert.results import Result
from radiomics_vert.storage import read_table
from radiomics_vert.study.models import ModelStage
from radiomics_vert.study.plain import TableStudy

log = logging.getLogger("radiomics_vert.study")
MODEL = "model"


def write_bundle(stage: ModelStage, folder: Path) -> str:
    """Fit the first model of a study on all its rows and write it; an older bundle is replaced.

    Parameters
    ----------
    stage : ModelStage
        The models of the study, validated.
    folder : Path
        Where the bundle goes.

    Returns
    -------
    str
        Digest of the bundle.
    """
    model = stage.models[0]
    if (folder / "checksums.json").is_file():
        shutil.rmtree(folder)
    _, chosen = stage.primary()
    fitted = fit_final(
        stage.dataset,
        model,
        stage.validation,
        features=chosen.features,
        with_covariates=chosen.with_covariates,
        repeats=stage.repeats,
    )
    return save_bundle(fitted, folder)


def predict_table(bundle: Path, table: Path, output: Path, expected: str | None = None) -> Result:
    """Predict the vertebrae of a feature table with a locked model; write the tables.

    Parameters
    ----------
    bundle : Path
        Folder of the model.
    table : Path
        A table with one row per vertebra, or the `features` folder of a study.
    output : Path
        Folder for the result.
    expected : str, optional
        Published digest of the model.

    Returns
    -------
    Result
    """
    fitted = load_bundle(bundle, expected=expected)
    if table.is_dir():
        features = _features(table)
        X, info = feature_matrix(features)
        used: Mapping[str, Mapping[str, str]] = features.provenance.reproducible.get("parameters", {})
        digests = {sequence: own["digest"] for sequence, own in used.items()}
        rows = X.assign(subject_id=info["subject_id"], site=info["site"])
        result = predict(fitted, rows, parameters=digests)
    else:
        result = predict(fitted, read_table(table).reset_index(drop=True))
    result.save(output)
    return result


def _features(folder: Path) -> FeatureTable:
    """Read the feature table of a study, from its output folder or from `features` itself."""
    for place in (folder, folder / "features"):
        if (place / "features.json").is_file():
            return FeatureTable.load(place)
    remedy = "name the folder `features` of a study (usually results/features), or a table"
    raise TableError(Problem("RV101", "a feature table of a study", "no features.json", str(folder), remedy))


def validate_tables(
    bundle: Path,
    tables: Sequence[Path],
    roles: TableStudy,
    prevalence: Sequence[float] = (),
    expected: str | None = None,
) -> Result:
    """Measure a locked model on feature tables of other cohorts; write the tables.

    Parameters
    ----------
    bundle : Path
        Folder of the model.
    tables : sequence of Path
        One per cohort; the file's name names it.
    roles : TableStudy
        Roles of the columns, the same in every table.
    prevalence : sequence of float
        Shares of positive vertebrae at which predictive values are given as well.
    expected : str, optional
        Published digest of the model.

    Returns
    -------
    Result

    Raises
    ------
    SettingsError
        RV602 two tables have one name.
    """
    names = [path.stem for path in tables]
    if len(set(names)) < len(names):
        remedy = "rename a file: the name of the file names its cohort"
        problem = Problem("RV602", "tables with different names", ", ".join(names), "--external", remedy)
        raise SettingsError(problem)
    cohorts = {path.stem: replace(roles, features=path).dataset() for path in tables}
    result = validate_external(
        load_bundle(bundle, expected=expected), cohorts, prevalence=list(prevalence) or None
    )
    result.save(roles.records)
    return result
