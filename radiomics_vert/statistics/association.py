"""`associate`: what separates the classes, feature by feature, with patients as the units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.provenance import Provenance, versions
from radiomics_vert.results import Result
from radiomics_vert.roc import clustered_auc_screen
from radiomics_vert.roc.clusters import Bools, Floats
from radiomics_vert.statistics.effects import hedges_g, quartiles
from radiomics_vert.statistics.features import (
    adjusted_p,
    check_features,
    name_columns,
    volume_correlation,
)

FEATURE_COLUMNS = (
    *("feature", "sequence", "filter", "feature_class", "family"),
    *("n", "n_positive", "n_negative", "n_subjects", "missing_positive", "missing_negative"),
    *("median_positive", "q1_positive", "q3_positive"),
    *("median_negative", "q1_negative", "q3_negative"),
    *("estimate", "ci_low", "ci_high", "statistic", "p_value", "p_adjusted", "p_adjusted_family"),
    *("hedges_g", "hedges_g_low", "hedges_g_high"),
    *("cliffs_delta", "cliffs_delta_low", "cliffs_delta_high"),
    *("direction", "volume_correlation", "icc", "icc_low", "note"),
)
SIGNIFICANCE = 0.05
METHODS = {
    "estimate": "Mann-Whitney AUC, ties one half (positive above negative)",
    "interval": "clustered variance (Obuchowski 1997, doi:10.2307/2533958), symmetric on the logit scale",
    "p_value": "Wald test of logit(AUC) = 0 with the clustered variance, two-sided",
    "p_adjusted": "Benjamini-Hochberg over all tested features; p_adjusted_family: within the family",
    "hedges_g": "Hedges g, cluster-robust linearised variance, t with (patients - 2) degrees of freedom",
    "cliffs_delta": "2 AUC - 1, limits from those of the AUC",
    "volume_correlation": "Spearman correlation with the volume measured in the same sequence",
    "icc": "intraclass correlation of repeated measurements and its lower limit, where they were measured",
}
_TESTS = ("estimate", "ci_low", "ci_high", "statistic", "p_value")


def associate(dataset: Dataset, *, confidence: float = 0.95, agreement: Result | None = None) -> Result:
    """Return, for every feature, how well it alone separates the classes.

    Parameters
    ----------
    dataset : Dataset
        Features, outcome and patients.
    confidence : float, default 0.95
        Confidence level of all intervals.
    agreement : Result, optional
        Kind `reliability`, of the same features: fills `icc` and `icc_low`, which are NaN without it.

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
    positive, patients = check_features(dataset)
    rows = np.ascontiguousarray(dataset.X.to_numpy(dtype=np.float64, na_value=np.nan).T)
    finite = np.where(np.isinf(rows), np.nan, rows)
    screen = clustered_auc_screen(dataset.y, finite.T, dataset.groups, confidence=confidence)
    reasons = _reasons(rows, screen, dataset)
    table = pd.concat([name_columns(dataset.X.columns), _counts(screen, positive)], axis=1)
    table = table.assign(**_descriptions(finite, positive))
    tested = (reasons == "").to_numpy()
    table = table.assign(**{name: screen[name].where(tested) for name in _TESTS})
    table = table.assign(**adjusted_p(table["p_value"], table["family"]))
    table = table.assign(**_effects(finite, positive, patients, tested, confidence))
    for end, source in (("", "estimate"), ("_low", "ci_low"), ("_high", "ci_high")):
        table[f"cliffs_delta{end}"] = 2 * table[source] - 1
    table["direction"] = _direction(table["estimate"], dataset.positive)
    table["volume_correlation"] = volume_correlation(finite, table)
    table = table.assign(**_agreement(table["feature"], agreement))
    table["note"] = _notes(reasons, table["hedges_g"])
    features = table[list(FEATURE_COLUMNS)]
    return Result(
        "association",
        {"features": features, "families": _families(features)},
        _spec(dataset, features, confidence),
        Provenance({"versions": versions(), "dataset": dict(dataset.provenance.reproducible)}),
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


def _effects(
    rows: Floats, positive: Bools, patients: NDArray[np.intp], tested: Bools, confidence: float
) -> dict[str, Floats]:
    effect = hedges_g(rows, positive, patients, confidence=confidence)
    names = ("hedges_g", "hedges_g_low", "hedges_g_high")
    return {name: np.where(tested, part, np.nan) for name, part in zip(names, effect, strict=True)}


def _agreement(features: pd.Series[str], agreement: Result | None) -> dict[str, pd.Series[float]]:
    if agreement is None:
        return {name: pd.Series(np.nan, index=features.index) for name in ("icc", "icc_low")}
    known = agreement.frame("features").set_index("feature")
    return {"icc": features.map(known["estimate"]), "icc_low": features.map(known["ci_low"])}


def _direction(estimate: pd.Series[float], positive: str) -> pd.Series[str]:
    direction = pd.Series("", index=estimate.index)
    direction[estimate > 0.5] = f"higher in {positive}"
    direction[estimate < 0.5] = f"lower in {positive}"
    direction[estimate == 0.5] = "equal"
    return direction


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
