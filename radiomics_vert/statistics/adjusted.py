"""`adjust`: what separates the classes beyond age, sex, site and other covariates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from radiomics_vert import parallel
from radiomics_vert.dataset.covariates import covariate_columns
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError, DatasetError, Problem
from radiomics_vert.provenance import Provenance, versions
from radiomics_vert.results import Result
from radiomics_vert.statistics.designs import Units
from radiomics_vert.statistics.features import adjusted_p, check_features, name_columns
from radiomics_vert.statistics.gee import CORRELATIONS
from radiomics_vert.statistics.models import SPARSE_CELL, WIDEST, gee_rows, mixed_row

GEE_COLUMNS = (
    *("feature", "family", "correlation", "n", "n_subjects", "n_events", "contrast"),
    *("estimate", "ci_low", "ci_high", "log_odds", "standard_error", "statistic", "p_value"),
    *("p_adjusted", "p_adjusted_family", "working_correlation", "covariates", "method", "note"),
)
MIXED_COLUMNS = (
    *("feature", "family", "n", "n_subjects", "estimate", "ci_low", "ci_high", "standard_error"),
    *("statistic", "p_value", "p_adjusted", "p_adjusted_family", "icc", "covariates", "note"),
)
METHODS = {
    "gee": "logistic regression of the class on feature and covariates by generalised estimating "
    "equations (Liang and Zeger 1986, doi:10.1093/biomet/73.1.13), patients as clusters",
    "variance": "robust, with the small-sample correction of Kauermann and Carroll 2001 "
    "(doi:10.1198/016214501753382309)",
    "reference": "Student's t with (patients - parameters) degrees of freedom, for the limits too",
    "estimate": "odds ratio of the positive class per standard deviation of the feature; for a feature "
    "with two values, of the higher against the lower",
    "sparse": f"Firth-penalised logistic regression with profile likelihood limits (Heinze and Schemper "
    f"2002, doi:10.1002/sim.1047) for a sign with fewer than {SPARSE_CELL} patients in a cell of its "
    f"2x2 table, where the classes are separated, or where a limit of the odds ratio lies beyond "
    f"{WIDEST:g}; clustering enters through an estimated design effect that divides the likelihood "
    f"(Rao and Scott 1992, doi:10.2307/2532311), an approximation where few patients show the sign",
    "mixed": "linear mixed model of the standardised feature on class and covariates with a random "
    "intercept per patient, restricted maximum likelihood; same degrees of freedom; the estimate is "
    "the difference between the classes in standard deviations",
    "p_adjusted": "Benjamini-Hochberg over all tested features of one table and working correlation; "
    "p_adjusted_family: within the family",
}


# [own rule] From here on the classes mix within patients rather than between them.
MOSTLY_MIXED = 0.5


def adjust(
    dataset: Dataset,
    *,
    features: Sequence[str] | None = None,
    covariates: Sequence[str] | None = None,
    correlation: Sequence[str] = CORRELATIONS,
    confidence: float = 0.95,
    n_jobs: int = 1,
    progress: parallel.Progress | None = None,
) -> Result:
    """Return the association of each feature with the class, adjusted for covariates.

    Which working correlation to read: where the vertebrae of a patient share their class (a patient's
    metastatic disease), a feature that varies between them violates the assumption of the
    exchangeable model, and its odds ratio is drawn towards 1; `independence` is then the one to read,
    and `note` says so (Pepe and Anderson 1994, doi:10.1080/03610919408813210). Where the classes mix
    within patients, exchangeable is the more efficient of the two.

    Parameters
    ----------
    dataset : Dataset
        Features, outcome, patients and covariates.
    features : sequence of str, optional
        Columns of `dataset.X`; all by default.
    covariates : sequence of str, optional
        Columns of `dataset.covariates`; all by default. Text is coded 0/1 against its alphabetically
        first value.
    correlation : sequence of {"exchangeable", "independence"}
        Working correlations of the GEE.
    confidence : float, default 0.95
        Confidence level of all limits.
    n_jobs : int, default 1
        Number of workers; -1 takes all cores.
    progress : callable, optional
        Called with (done, total) after each feature.

    Returns
    -------
    Result
        Kind `adjusted`. Table `gee`: one row per working correlation and feature with the columns
        :data:`GEE_COLUMNS`. Table `mixed`: one row per feature with :data:`MIXED_COLUMNS`. A vertebra
        without the feature or without a covariate is left out; `n` counts the others, and
        `spec["missing_covariates"]` the vertebrae without each covariate;
        `spec["preferred_correlation"]` names the working correlation to read. `covariates` lists what was
        adjusted for; a covariate that is constant or a combination of others is left out with a note.
        What cannot be estimated is NaN with a note that begins `not estimable`.

    Raises
    ------
    DatasetError
        RV103: unknown feature or covariate. RV402: one class only. RV406: fewer than two patients in
        a class.
    AnalysisError
        RV503: the dataset has no feature, or the working correlation is unknown.
    """
    chosen = _check(dataset, features, covariates, correlation)
    positive, patients = check_features(dataset)
    constant = _constant(dataset.covariates[chosen[1]])
    coded = covariate_columns(dataset.covariates[chosen[1]].drop(columns=constant))
    lost = [f"covariate {name} left out: one value only" for name in constant]
    units = Units(positive, patients, coded.to_numpy(dtype=np.float64), tuple(coded.columns), tuple(lost))
    columns = dataset.X[chosen[0]].to_numpy(dtype=np.float64, na_value=np.nan)
    rows = parallel.run(
        partial(_feature_rows, units, tuple(correlation), confidence),
        list(columns.T),
        n_jobs=n_jobs,
        progress=progress,
    )
    names = name_columns(chosen[0])[["feature", "family"]]
    gee = [_table(names, [row[0][number] for row in rows]) for number in range(len(correlation))]
    return Result(
        "adjusted",
        {
            "gee": pd.concat(gee, ignore_index=True)[list(GEE_COLUMNS)],
            "mixed": _table(names, [row[1] for row in rows])[list(MIXED_COLUMNS)],
        },
        _spec(dataset, chosen, correlation, confidence),
        Provenance({"versions": versions(), "dataset": dict(dataset.provenance.reproducible)}),
    )


def _check(
    dataset: Dataset,
    features: Sequence[str] | None,
    covariates: Sequence[str] | None,
    correlation: Sequence[str],
) -> tuple[list[str], list[str]]:
    unknown = [name for name in correlation if name not in CORRELATIONS]
    if unknown or not correlation:
        raise AnalysisError(
            Problem(
                "RV503",
                f"working correlations out of {', '.join(CORRELATIONS)}",
                ", ".join(unknown) or "none",
                "correlation of adjust",
                "name exchangeable, independence, or both",
            )
        )
    return _named(features, dataset.X, "feature"), _named(covariates, dataset.covariates, "covariate")


def _named(names: Sequence[str] | None, table: pd.DataFrame, role: str) -> list[str]:
    if names is None:
        return list(table.columns)
    unknown = [name for name in names if name not in table.columns]
    if unknown:
        raise DatasetError(
            Problem(
                "RV103",
                f"a {role} of the dataset: {', '.join(map(str, table.columns[:12]))}"
                f"{' ...' if table.shape[1] > 12 else ''}",
                ", ".join(unknown),
                f"{role}s of adjust",
                f"correct the name of the {role}, or add it when the dataset is made",
            )
        )
    return list(names)


def _constant(table: pd.DataFrame) -> list[str]:
    return [str(name) for name in table.columns if table[name].nunique() < 2]


def _feature_rows(
    units: Units, correlation: tuple[str, ...], confidence: float, values: np.ndarray[Any, Any]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    design = units.design(values)
    return gee_rows(design, correlation, confidence), mixed_row(design, confidence)


def _table(names: pd.DataFrame, rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.concat([names, pd.DataFrame(rows)], axis=1)
    return table.assign(**adjusted_p(table["p_value"], table["family"]))


def _preferred(dataset: Dataset) -> str:
    """Choose by the design alone: whether most patients with several vertebrae have both classes.

    A few mixed patients are not enough: the others still hold the working correlation near 1, and the
    exchangeable odds ratios near 1 with it.
    """
    share = dataset.y.groupby(dataset.groups.to_numpy()).agg(["mean", "size"])
    several = share[share["size"] > 1]["mean"]
    mixed = several.between(0, 1, inclusive="neither").mean() if len(several) else 0.0
    return "exchangeable" if mixed > MOSTLY_MIXED else "independence"


def _spec(
    dataset: Dataset, chosen: tuple[list[str], list[str]], correlation: Sequence[str], confidence: float
) -> dict[str, Any]:
    missing = dataset.covariates[chosen[1]].isna()
    return {
        "outcome": dataset.outcome,
        "positive": dataset.positive,
        "negative": dataset.negative,
        "confidence": confidence,
        "correlation": list(correlation),
        "unit": "vertebra, clustered in the patient",
        "n": len(dataset),
        "n_subjects": dataset.n_subjects,
        "n_features": len(chosen[0]),
        "covariates": chosen[1],
        "preferred_correlation": _preferred(dataset),
        "missing_covariates": {str(name): int(count) for name, count in missing.sum().items()},
        "n_without_a_covariate": int(missing.any(axis=1).sum()),
        "methods": METHODS,
    }
