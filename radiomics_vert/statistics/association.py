"""`associate`: what separates the classes, feature by feature, with patients as the units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from radiomics_vert.dataset.naming import parse_feature
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError, DatasetError, Problem
from radiomics_vert.provenance import Provenance, versions
from radiomics_vert.results import Result
from radiomics_vert.roc import check_labels, clustered_auc_screen
from radiomics_vert.roc.clusters import Bools, Floats
from radiomics_vert.statistics.effects import hedges_g, quartiles, spearman

FEATURE_COLUMNS = (
    *("feature", "sequence", "filter", "feature_class", "family"),
    *("n", "n_positive", "n_negative", "n_subjects", "missing_positive", "missing_negative"),
    *("median_positive", "q1_positive", "q3_positive"),
    *("median_negative", "q1_negative", "q3_negative"),
    *("estimate", "ci_low", "ci_high", "statistic", "p_value", "p_adjusted", "p_adjusted_family"),
    *("hedges_g", "hedges_g_low", "hedges_g_high"),
    *("cliffs_delta", "cliffs_delta_low", "cliffs_delta_high"),
    *("direction", "volume_correlation", "note"),
)
SIGNIFICANCE = 0.05
VOLUMES = ("MeshVolume", "VoxelVolume")
METHODS = {
    "estimate": "Mann-Whitney AUC, ties one half (positive above negative)",
    "interval": "clustered variance (Obuchowski 1997, doi:10.2307/2533958), symmetric on the logit scale",
    "p_value": "Wald test of logit(AUC) = 0 with the clustered variance, two-sided",
    "p_adjusted": "Benjamini-Hochberg over all tested features; p_adjusted_family: within the family",
    "hedges_g": "Hedges g, cluster-robust linearised variance, t with (patients - 2) degrees of freedom",
    "cliffs_delta": "2 AUC - 1, limits from those of the AUC",
    "volume_correlation": "Spearman correlation with the volume measured in the same sequence",
}
_TESTS = ("estimate", "ci_low", "ci_high", "statistic", "p_value")


def associate(dataset: Dataset, *, confidence: float = 0.95) -> Result:
    """Return, for every feature, how well it alone separates the classes.

    Parameters
    ----------
    dataset : Dataset
        Features, outcome and patients.
    confidence : float, default 0.95
        Confidence level of all intervals.

    Returns
    -------
    Result
        Kind `association`. Table `features`: one row per feature in the order of `dataset.X`, with the
        columns :data:`FEATURE_COLUMNS`; `estimate` is the AUC. A feature that cannot be tested keeps
        its row: its tests are NaN and `note` says why. Table `families`: `family, n_features,
        n_tested, n_significant_05` (by `p_adjusted`), `best_feature, best_estimate` (the AUC farthest
        from 0.5, which is optimistic as the best of many always is).

    Raises
    ------
    DatasetError
        RV402: one class only. RV406: fewer than two patients in a class.
    AnalysisError
        RV503: the dataset has no feature.
    """
    positive, patients = _check(dataset)
    rows = np.ascontiguousarray(dataset.X.to_numpy(dtype=np.float64, na_value=np.nan).T)
    finite = np.where(np.isinf(rows), np.nan, rows)
    screen = clustered_auc_screen(dataset.y, finite.T, dataset.groups, confidence=confidence)
    reasons = _reasons(rows, screen, dataset)
    table = pd.concat([_names(dataset.X.columns), _counts(screen, positive)], axis=1)
    table = table.assign(**_descriptions(finite, positive))
    tested = (reasons == "").to_numpy()
    table = table.assign(**{name: screen[name].where(tested) for name in _TESTS})
    table = table.assign(**_adjusted(table["p_value"], table["family"]))
    table = table.assign(**_effects(finite, positive, patients, tested, confidence))
    for end, source in (("", "estimate"), ("_low", "ci_low"), ("_high", "ci_high")):
        table[f"cliffs_delta{end}"] = 2 * table[source] - 1
    table["direction"] = _direction(table["estimate"], dataset.positive)
    table["volume_correlation"] = _volume_correlation(finite, table)
    table["note"] = _notes(reasons, table["hedges_g"])
    features = table[list(FEATURE_COLUMNS)]
    return Result(
        "association",
        {"features": features, "families": _families(features)},
        _spec(dataset, features, confidence),
        Provenance({"versions": versions(), "dataset": dict(dataset.provenance.reproducible)}),
    )


def _check(dataset: Dataset) -> tuple[Bools, NDArray[np.intp]]:
    if dataset.X.shape[1] == 0:
        raise AnalysisError(
            Problem(
                "RV503",
                "at least one feature",
                "a dataset without features",
                "dataset.X",
                "extract features, or name the feature columns of the table",
            )
        )
    positive, patients = check_labels(dataset.y, dataset.groups, len(dataset))
    subjects = {
        dataset.positive: len(np.unique(patients[positive])),
        dataset.negative: len(np.unique(patients[~positive])),
    }
    if min(subjects.values()) < 2:
        raise DatasetError(
            Problem(
                "RV406",
                "two patients or more in each class",
                ", ".join(f"{name}: {count}" for name, count in subjects.items()),
                f"outcome {dataset.outcome}",
                "add patients: with one patient in a class, the variation between patients is unknown",
            )
        )
    return positive, patients


def _names(columns: pd.Index[Any]) -> pd.DataFrame:
    parsed = [parse_feature(str(name)) for name in columns]
    return pd.DataFrame(
        {
            "feature": [str(name) for name in columns],
            "sequence": [name.sequence for name in parsed],
            "filter": [name.filter for name in parsed],
            "feature_class": [name.feature_class for name in parsed],
            "family": [name.family for name in parsed],
        }
    )


def _counts(screen: pd.DataFrame, positive: Bools) -> pd.DataFrame:
    counts = screen[["n", "n_positive", "n_negative", "n_subjects"]].copy()
    counts["missing_positive"] = int(positive.sum()) - counts["n_positive"]
    counts["missing_negative"] = int((~positive).sum()) - counts["n_negative"]
    return counts


def _descriptions(rows: Floats, positive: Bools) -> dict[str, Floats]:
    columns: dict[str, Floats] = {}
    for name, members in (("positive", positive), ("negative", ~positive)):
        q1, median, q3 = quartiles(rows[:, members])
        columns |= {f"median_{name}": median, f"q1_{name}": q1, f"q3_{name}": q3}
    return columns


def _reasons(rows: Floats, screen: pd.DataFrame, dataset: Dataset) -> pd.Series[str]:
    """Say why each feature cannot be tested; empty where it can. The last that applies is given."""
    present = np.where(np.isnan(rows), np.inf, rows).min(axis=1)
    constant = present == np.where(np.isnan(rows), -np.inf, rows).max(axis=1)
    classes = {"positive": dataset.positive, "negative": dataset.negative}
    checks = [
        *(
            (screen[f"subjects_{side}"] == 1, f"only one {name} patient has a value")
            for side, name in classes.items()
        ),
        (constant, "constant: every vertebra has the same value"),
        *((screen[f"n_{side}"] == 0, f"missing in all {name} vertebrae") for side, name in classes.items()),
        (screen["n"] == 0, "missing in all vertebrae"),
        (np.isinf(rows).any(axis=1), "holds infinite values"),
    ]
    reasons = pd.Series("", index=screen.index)
    for applies, reason in checks:
        reasons = reasons.mask(applies, f"RV503: {reason}")
    return reasons


def _adjusted(p: pd.Series[float], family: pd.Series[str]) -> dict[str, pd.Series[float]]:
    return {
        "p_adjusted": _benjamini_hochberg(p),
        "p_adjusted_family": p.groupby(family, sort=False).transform(_benjamini_hochberg),
    }


def _benjamini_hochberg(p: pd.Series[float]) -> pd.Series[float]:
    """Adjust for the false discovery rate; a missing p value stays missing and does not count."""
    adjusted, tested = p.copy(), p.notna()
    if tested.any():
        adjusted[tested] = multipletests(p[tested].to_numpy(), method="fdr_bh")[1]
    return adjusted


def _effects(
    rows: Floats, positive: Bools, patients: NDArray[np.intp], tested: Bools, confidence: float
) -> dict[str, Floats]:
    effect = hedges_g(rows, positive, patients, confidence=confidence)
    names = ("hedges_g", "hedges_g_low", "hedges_g_high")
    return {name: np.where(tested, part, np.nan) for name, part in zip(names, effect, strict=True)}


def _direction(estimate: pd.Series[float], positive: str) -> pd.Series[str]:
    direction = pd.Series("", index=estimate.index)
    direction[estimate > 0.5] = f"higher in {positive}"
    direction[estimate < 0.5] = f"lower in {positive}"
    direction[estimate == 0.5] = "equal"
    return direction


def _volume_correlation(rows: Floats, table: pd.DataFrame) -> Floats:
    correlation = np.full(len(rows), np.nan)
    for _, members in table.groupby("sequence", sort=False):
        volume = _volume_row(members)
        if volume is not None:
            index = members.index.to_numpy()
            correlation[index] = spearman(rows[index], rows[volume])
    return correlation


def _volume_row(members: pd.DataFrame) -> int | None:
    """Row of the volume among the features of one sequence: the mesh volume where there is one."""
    shapes = members[members["feature_class"] == "shape"]
    for volume in VOLUMES:
        rows = shapes.index[shapes["feature"].str.endswith(f"_{volume}")]
        if len(rows):
            return int(rows[0])
    return None


def _notes(reasons: pd.Series[str], g: pd.Series[float]) -> pd.Series[str]:
    undefined = (reasons == "") & g.isna()
    return reasons.mask(undefined, "Hedges g is undefined: no variation within the classes")


def _families(features: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "family": family,
                "n_features": len(members),
                "n_tested": int(members["p_value"].notna().sum()),
                "n_significant_05": int((members["p_adjusted"] < SIGNIFICANCE).sum()),
                **_best(members),
            }
            for family, members in features.groupby("family", sort=False)
        ]
    )


def _best(members: pd.DataFrame) -> dict[str, Any]:
    distance = (members["estimate"] - 0.5).abs()
    if distance.isna().all():
        return {"best_feature": "", "best_estimate": np.nan}
    best = members.iloc[int(distance.to_numpy(na_value=-1.0).argmax())]
    return {"best_feature": best["feature"], "best_estimate": best["estimate"]}


def _spec(dataset: Dataset, features: pd.DataFrame, confidence: float) -> dict[str, Any]:
    return {
        "outcome": dataset.outcome,
        "positive": dataset.positive,
        "negative": dataset.negative,
        "confidence": confidence,
        "unit": "vertebra, clustered in the patient",
        "n": len(dataset),
        "n_by_class": dataset.counts(),
        "n_subjects": dataset.n_subjects,
        "n_features": len(features),
        "n_tested": int(features["p_value"].notna().sum()),
        "significance": SIGNIFICANCE,
        "methods": METHODS,
    }
