"""`reliability`: how far features depend on the rater, the session or the exact contour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiomics_vert.dataset.naming import parse_feature
from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.feature_table import FeatureTable
from radiomics_vert.provenance import Provenance, versions
from radiomics_vert.results import Result
from radiomics_vert.roc.clusters import Floats
from radiomics_vert.statistics.agreement import bland_altman, concordance, repeatability
from radiomics_vert.statistics.icc import (
    FORMS,
    complete,
    icc,
    icc_bootstrap,
    require_form,
)
from radiomics_vert.statistics.measurements import Measurements, measurements
from radiomics_vert.statistics.raters import compare_raters

STATISTIC_COLUMNS = (
    *("estimate", "ci_low", "ci_high", "concordance", "concordance_low", "concordance_high"),
    *("bias", "loa_low", "loa_high", "pair", "within_cv", "repeatability_coefficient"),
)
FEATURE_COLUMNS = (
    *("feature", "sequence", "family", "form", "n_targets", "n_subjects", "n_measurements"),
    *STATISTIC_COLUMNS,
    *("category", "note"),
)
ICC_COLUMNS = (
    *("feature", "sequence", "form", "n_targets", "n_measurements"),
    *("estimate", "ci_low", "ci_high", "statistic", "p_value"),
)
PAIR_COLUMNS = (
    *("feature", "sequence", "target", "subject_id", "first", "second"),
    *("mean", "difference"),
)
CATEGORIES = ("poor", "moderate", "good", "excellent")
CATEGORY_LIMITS = (0.5, 0.75, 0.9)
INTERVALS = {
    "F": "F distribution; assumes independent targets and normal effects, so with several vertebrae "
    "per patient it is too narrow",
    "bootstrap": "patients resampled with all their vertebrae, bias-corrected and accelerated",
}
METHODS = {
    "estimate": "Shrout and Fleiss 1979, doi:10.1037/0033-2909.86.2.420, over targets measured by all",
    "category": "by the lower limit (Koo and Li 2016, doi:10.1016/j.jcm.2016.02.012): poor below 0.5, "
    "moderate below 0.75, good below 0.9, excellent from 0.9",
    "concordance": "Lin 1989, doi:10.2307/2532051; with more than two raters the overall coefficient of "
    "Barnhart 2002, doi:10.1111/j.0006-341X.2002.01020.x, without limits",
    "bias": "second minus first measurement of `pair`, with its 95 % limits of agreement; with more than "
    "two raters, the pair whose limits reach farthest from zero",
    "within_cv": "within-subject coefficient of variation, root mean square over targets",
    "repeatability_coefficient": "1.96 sqrt(2) within-subject standard deviation",
    "unit_error": "80 % of the ratios to the other raters' median within 10 % of one power of ten",
}


def reliability(
    table: FeatureTable | pd.DataFrame,
    *,
    by: str = "rater",
    form: str = "ICC(2,1)",
    confidence: float = 0.95,
    threshold: float = 0.75,
    interval: str = "F",
    n_bootstrap: int = 1000,
    seed: int = 0,
    pairs: Sequence[str] = (),
) -> Result:
    """Return how well repeated measurements of each feature agree.

    Parameters
    ----------
    table : FeatureTable or DataFrame
        Features of a cohort with several raters, sessions or perturbed masks, or a long table with the
        columns `case_id` (the target, equal for all its measurements), `feature`, `value`, the one
        named by `by`, and optionally `subject_id` and `sequence`. Without `subject_id` each target
        counts as a patient of its own.
    by : {"rater", "session", "perturbation"}, default "rater"
        What tells the measurements of one vertebra apart.
    form : str, default "ICC(2,1)"
        The coefficient of the main table; see :func:`radiomics_vert.statistics.icc.icc` for the choice.
    confidence : float, default 0.95
        Confidence level of the intervals.
    threshold : float, default 0.75
        For the share of reliable features per family.
    interval : {"F", "bootstrap"}, default "F"
        The interval of the main table. The F interval assumes independent targets: with several
        vertebrae per patient it is too narrow, and the bootstrap over patients is the honest one; it
        needs some twenty patients.
    n_bootstrap, seed : int, default 1000 and 0
        Samples and seed of the bootstrap.
    pairs : sequence of str, default ()
        Features whose Bland-Altman data are wanted.

    Returns
    -------
    Result
        Kind `reliability`. Table `features`: one row per feature, :data:`FEATURE_COLUMNS`. `icc`: all
        six forms with F intervals. `pairs`: mean and difference (second - first) of each pair of
        measurements of the features asked for. `families`: share of features at or above `threshold`,
        by estimate and by lower limit. `raters`: each rater against the median of the others, with
        `power_of_ten` other than 0 for a probable unit error.

    Raises
    ------
    AnalysisError
        RV503: an unknown form, interval, `by` or feature, or fewer than two raters.
    TableError
        RV103, RV112: a column is missing, or there is no row.
    DatasetError
        RV404, RV407: values that are no numbers, or repeated measurements.

    Examples
    --------
    >>> rows = [(f"v{t}", rater, "area", value + 0.1 * t) for rater, values in
    ...     {"a": (1.0, 2.0, 3.0), "b": (1.1, 2.0, 2.9)}.items() for t, value in enumerate(values)]
    >>> long = pd.DataFrame(rows, columns=["case_id", "rater", "feature", "value"])
    >>> float(reliability(long).frame()["estimate"].round(3).iloc[0])
    0.997
    """
    require_form(form)
    _require_interval(interval)
    parts = measurements(table, by)
    chosen = _Choice(form, confidence, interval, n_bootstrap, seed)
    raters = pd.concat([compare_raters(part) for part in parts], ignore_index=True)
    suspects = raters[raters["power_of_ten"] != 0]
    features = pd.concat([_features(part, chosen) for part in parts], ignore_index=True)
    features["note"] = _with_suspects(features, suspects)
    result = {
        "features": features[list(FEATURE_COLUMNS)],
        "icc": pd.concat([_six_forms(part, confidence) for part in parts], ignore_index=True),
        "pairs": _pairs(parts, pairs),
        "families": _families(features, threshold),
        "raters": raters,
    }
    spec = {
        **{"by": by, "form": form, "confidence": confidence, "threshold": threshold},
        **{"interval": interval, "assumption": INTERVALS[interval]},
        **({"n_bootstrap": n_bootstrap, "seed": seed} if interval == "bootstrap" else {}),
        **_counts(parts, features),
        "unit_errors": suspects[["rater", "feature", "power_of_ten"]].to_dict("records"),
        "methods": METHODS,
    }
    return Result("reliability", result, spec, _provenance(table))


@dataclass(frozen=True)
class _Choice:
    """What the caller wants in the main table."""

    form: str
    confidence: float
    interval: str
    n_bootstrap: int
    seed: int


def _require_interval(interval: str) -> None:
    if interval not in INTERVALS:
        raise AnalysisError(
            Problem(
                "RV503",
                f"one of {', '.join(INTERVALS)}",
                repr(interval),
                "reliability, interval",
                "use 'bootstrap' where patients have several vertebrae, 'F' otherwise",
            )
        )


def _features(part: Measurements, chosen: _Choice) -> pd.DataFrame:
    """Return the main table of one sequence, in the order of its features."""
    blocks = [_block(part, raters, layers, chosen) for raters, layers in part.groups()]
    return pd.concat(blocks).sort_index()


def _block(
    part: Measurements, raters: NDArray[np.intp], layers: NDArray[np.intp], chosen: _Choice
) -> pd.DataFrame:
    """Return the rows of features measured by the same raters, indexed by their position."""
    values = part.values[:, raters][:, :, layers]
    names = [part.features[layer] for layer in layers]
    inside = complete(values)
    patients = part.patients
    table = pd.DataFrame(
        {
            "feature": names,
            "sequence": part.sequence,
            "family": [parse_feature(name).family for name in names],
            "form": chosen.form,
            "n_targets": inside.sum(axis=0),
            "n_subjects": [len(np.unique(patients[column])) for column in inside.T],
            "n_measurements": len(raters),
        },
        index=layers,
    )
    statistics = _statistics(part, raters, values, chosen) if len(raters) > 1 else {}
    table = table.assign(**dict.fromkeys(STATISTIC_COLUMNS, np.nan)).assign(**({"pair": ""} | statistics))
    table["category"] = _categories(table["ci_low"])
    table["note"] = _notes(part, raters, table)
    return table


def _statistics(
    part: Measurements, raters: NDArray[np.intp], values: Floats, chosen: _Choice
) -> dict[str, Any]:
    estimate, low, high, *_ = icc(values, confidence=chosen.confidence)[chosen.form]
    if chosen.interval == "bootstrap":
        low, high = icc_bootstrap(
            values,
            part.patients,
            chosen.form,
            confidence=chosen.confidence,
            n_bootstrap=chosen.n_bootstrap,
            seed=chosen.seed,
        )
    agreement = concordance(values, confidence=chosen.confidence)
    repeated = repeatability(values, confidence=chosen.confidence)
    return {
        **{"estimate": estimate, "ci_low": low, "ci_high": high},
        **{"concordance": agreement.estimate, "concordance_low": agreement.ci_low},
        **{"concordance_high": agreement.ci_high},
        **_widest_pair(values, [part.raters[rater] for rater in raters]),
        **{"within_cv": repeated.within_cv, "repeatability_coefficient": repeated.coefficient},
    }


def _widest_pair(values: Floats, raters: Sequence[str]) -> dict[str, Any]:
    """Return bias and limits of the pair of raters whose limits of agreement reach farthest from zero."""
    couples = list(combinations(range(len(raters)), 2))
    found = [bland_altman(values[:, a], values[:, b]) for a, b in couples]
    reach = np.stack([np.maximum(np.abs(one.loa_low), np.abs(one.loa_high)) for one in found])
    widest = np.where(np.isnan(reach), -1.0, reach).argmax(axis=0)
    column = np.arange(values.shape[2])
    names = [f"{raters[b]} - {raters[a]}" for a, b in couples]
    numbers = {
        name: np.stack([getattr(one, name) for one in found])[widest, column]
        for name in ("bias", "loa_low", "loa_high")
    }
    return {**numbers, "pair": [names[number] for number in widest]}


def _categories(low: pd.Series[float]) -> list[str]:
    position = np.digitize(low.to_numpy(), CATEGORY_LIMITS)
    missing = low.isna().to_numpy()
    return ["" if none else CATEGORIES[place] for place, none in zip(position, missing, strict=True)]


def _notes(part: Measurements, raters: NDArray[np.intp], table: pd.DataFrame) -> list[str]:
    finite = np.isfinite(part.values)
    measured = finite.any(axis=1).sum(axis=0)
    notes = []
    for layer, row in table.iterrows():
        position = int(str(layer))
        few = [
            name
            for number, name in enumerate(part.raters)
            if number not in raters and finite[:, number, position].any()
        ]
        notes.append("; ".join(_sentences(row, int(measured[position]), few)))
    return notes


def _sentences(row: pd.Series[Any], measured: int, few: Sequence[str]) -> Iterator[str]:
    if row["n_measurements"] < 2:
        yield "RV503: measured by one rater only"
    elif row["n_targets"] < 2:
        yield "RV503: fewer than two targets were measured by all raters"
    elif np.isnan(row["estimate"]):
        yield "RV503: undefined, because nothing varies"
    elif row["estimate"] < 0:
        yield "negative: repeated measurements of one target differ more than targets do"
    if row["n_targets"] < measured:
        yield f"{measured - row['n_targets']} of {measured} targets left out: not measured by all"
    if few:
        yield f"left out, too few values: {', '.join(few)}"


def _with_suspects(features: pd.DataFrame, suspects: pd.DataFrame) -> list[str]:
    by_feature = {
        name: ", ".join(f"{row.rater} (10^{row.power_of_ten})" for row in rows.itertuples())
        for name, rows in suspects.groupby("feature", sort=False)
    }
    notes = []
    for feature, note in zip(features["feature"], features["note"], strict=True):
        named = by_feature.get(feature)
        notes.append("; ".join(filter(None, (note, f"probable unit error: {named}" if named else ""))))
    return notes


def _six_forms(part: Measurements, confidence: float) -> pd.DataFrame:
    blocks = []
    for raters, layers in part.groups():
        if len(raters) < 2:
            continue
        values = part.values[:, raters][:, :, layers]
        for number, (form, found) in enumerate(icc(values, confidence=confidence).items()):
            numbers = dict(zip(found._fields, found, strict=True))
            block = pd.DataFrame({"position": layers * len(FORMS) + number, "form": form, **numbers})
            block["feature"] = [part.features[layer] for layer in layers]
            block["n_targets"] = complete(values).sum(axis=0)
            blocks.append(block.assign(sequence=part.sequence, n_measurements=len(raters)))
    if not blocks:
        return pd.DataFrame(columns=list(ICC_COLUMNS))
    return pd.concat(blocks).sort_values("position")[list(ICC_COLUMNS)]


def _pairs(parts: Sequence[Measurements], wanted: Sequence[str]) -> pd.DataFrame:
    known = [name for part in parts for name in part.features]
    missing = [name for name in wanted if name not in known]
    if missing:
        raise AnalysisError(
            Problem(
                "RV503",
                "features of the table",
                ", ".join(missing),
                "reliability, pairs",
                "use the names of the table `features`, with the sequence in front if there are several",
            )
        )
    blocks = [
        _couple(part, name, first, second)
        for name in wanted
        for part in parts
        if name in part.features
        for first, second in combinations(range(len(part.raters)), 2)
    ]
    return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame(columns=list(PAIR_COLUMNS))


def _couple(part: Measurements, feature: str, first: int, second: int) -> pd.DataFrame:
    cells = part.values[:, :, part.features.index(feature)]
    table: pd.DataFrame = part.targets.assign(
        feature=feature,
        sequence=part.sequence,
        first=part.raters[first],
        second=part.raters[second],
        mean=(cells[:, first] + cells[:, second]) / 2,
        difference=cells[:, second] - cells[:, first],
    )
    return table.dropna(subset="difference")[list(PAIR_COLUMNS)]


def _families(features: pd.DataFrame, threshold: float) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "family": family,
                "sequence": sequence,
                "n": len(members),
                "n_defined": int(members["estimate"].notna().sum()),
                "median_icc": members["estimate"].median(),
                "share_reliable": float((members["estimate"] >= threshold).mean()),
                "share_reliable_lower_limit": float((members["ci_low"] >= threshold).mean()),
            }
            for (sequence, family), members in features.groupby(["sequence", "family"], sort=False)
        ]
    )


def _counts(parts: Sequence[Measurements], features: pd.DataFrame) -> dict[str, Any]:
    targets = pd.concat([part.targets for part in parts]).drop_duplicates()
    per_patient = targets.groupby("subject_id").size()
    return {
        "raters": list(dict.fromkeys(name for part in parts for name in part.raters)),
        "n_targets": len(targets),
        "n_subjects": len(per_patient),
        "clustered": bool((per_patient > 1).any()),
        "n_features": len(features),
        "n_undefined": int(features["estimate"].isna().sum()),
    }


def _provenance(table: FeatureTable | pd.DataFrame) -> Provenance:
    source = dict(table.provenance.reproducible) if isinstance(table, FeatureTable) else {}
    return Provenance({"versions": versions(), "features": source})
