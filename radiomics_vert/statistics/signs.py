"""`sign_findings`: what each imaging sign shows, set against what the seeds expect of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from radiomics_vert.dataset.naming import SIGN, parse_feature
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.provenance import Provenance
from radiomics_vert.results import Result
from radiomics_vert.statistics.association import associate
from radiomics_vert.statistics.features import benjamini_hochberg
from radiomics_vert.statistics.literature import VERDICTS, in_short, literature_figures

AGREES, DISAGREES, NOT_SHOWN, NO_EXPECTATION = "agrees", "disagrees", "not shown", "no expectation"
NOT_TESTED = "not tested"
AGREEMENTS = (AGREES, DISAGREES, NOT_SHOWN, NOT_TESTED, NO_EXPECTATION)
REGISTRY_COLUMNS = (
    *("name", "label", "title", "family", "unit", "direction", "sided"),
    *("seed", "reference", "caveat", "evidence"),
)
SIGN_COLUMNS = (
    *REGISTRY_COLUMNS,
    *("sequence", "feature", "n", "n_absent", "auc", "ci_low", "ci_high", "p_value", "p_adjusted"),
    *("median_negative", "median_positive", "expected", "agreement", "literature", "note"),
)
_LATER = ("p_adjusted", "literature")
VALUE_COLUMNS = ("case_id", "subject_id", "level", "y", "sign", "sequence", "value")
ABSENCE_COLUMNS = ("sign", "code", "reason", "n")
# Beginnings of words that name the two diagnoses of the seeds; a study may call its classes otherwise.
_CLASS_WORDS = {
    "metastatic": ("metast", "malign", "métast", "tumo"),
    "osteoporotic": ("osteopor", "ostéopor", "benign", "bénin", "fragil"),
}


def sign_findings(
    dataset: Dataset,
    association: Result,
    registry_rows: Sequence[Mapping[str, Any]],
    absences: pd.DataFrame,
) -> Result:
    """Return what each imaging sign shows, and whether that agrees with the seeds.

    Parameters
    ----------
    dataset : Dataset
        With columns `sign_<name>`, or `<sequence>__sign_<name>`.
    association : Result
        What :func:`radiomics_vert.associate` made of the same dataset, with or without texture.
    registry_rows : sequence of mapping
        The registry of signs in its order: `name, label, title, family, unit, direction, sided, seed,
        reference, caveat, evidence, published` of each, further keys are ignored.
    absences : DataFrame
        One row per absent value: `case_id, sign, code, reason`.

    Returns
    -------
    Result
        Kind `signs`. Table `signs`: one row per sign and sequence with at least one value, in the order of
        the registry. `expected` is the class for which a high value speaks; `agreement` is `agrees` when
        the whole interval of the AUC lies on the expected side of 0.5, `disagrees` when it lies wholly on
        the other, `not shown` otherwise, `not tested` where there is no interval (`note` says why), and
        `no expectation` where the seeds name no direction or the classes are not those of the seeds. The
        spec counts signs (`n_signs` of `n_registry`) apart from rows, as a sign that several sequences
        show is measured on each. `p_adjusted` is over all signs tested, texture left out
        (Benjamini-Hochberg). A sign with a side (`sided`) is screened by its size, here and in the values, as
        the seeds mean an asymmetry to either side; the association, and models, keep the value with its sign.
        Table `literature`: what :func:`~radiomics_vert.statistics.literature.literature_figures` gives, told
        in short in the column `literature`. Table `values`: the single values, long. Table `absences`: per
        sign and code, the most frequent reason and the number of absent values.
    """
    expectation = _classes(dataset)
    confidence = float(association.spec.get("confidence", 0.95))
    order = {str(row["name"]): (place, row) for place, row in enumerate(registry_rows)}
    columns = sorted(
        (
            str(name)
            for name in dataset.X.columns
            if parse_feature(str(name)).feature_class == SIGN
            and parse_feature(str(name)).feature in order
            and dataset.X[name].notna().any()
        ),
        key=lambda name: (order[parse_feature(name).feature][0], name),
    )
    sided = [name for name in columns if order[parse_feature(name).feature][1]["sided"]]
    dataset, tested = _by_size(dataset, association, sided, confidence)
    rows = [
        _row(order[parse_feature(name).feature][1], name, tested, dataset, expectation) for name in columns
    ]
    signs = pd.DataFrame(rows, columns=[name for name in SIGN_COLUMNS if name not in _LATER])
    signs["p_adjusted"] = benjamini_hochberg(signs["p_value"].astype(float))
    published = {name: row["published"] for name, (_, row) in order.items()}
    figures = literature_figures(dataset, signs, published, expectation, confidence)
    signs["literature"] = [in_short(figures[figures["feature"] == name]) for name in signs["feature"]]
    spec = {
        "positive": dataset.positive,
        "negative": dataset.negative,
        "confidence": confidence,
        "classes": expectation,
        "n_registry": len(order),
        "n_signs": int(signs["name"].nunique()),
        "n_by_agreement": {name: int((signs["agreement"] == name).sum()) for name in AGREEMENTS},
        "n_by_verdict": {name: int((figures["verdict"] == name).sum()) for name in VERDICTS},
    }
    return Result(
        "signs",
        {
            "signs": signs[list(SIGN_COLUMNS)],
            "literature": figures,
            "values": _values(dataset, columns),
            "absences": _absences(absences, list(order)),
        },
        spec,
        Provenance(dict(association.provenance.reproducible)),
    )


def agreement(low: float, high: float, expected_high: bool | None) -> str:
    """Judge an interval of the AUC against an expectation.

    Parameters
    ----------
    low, high : float
        Limits of the AUC of the positive class; NaN where it could not be tested.
    expected_high : bool or None
        Whether high values are expected in the positive class; None without an expectation.

    Examples
    --------
    >>> agreement(0.6, 0.8, True), agreement(0.6, 0.8, False), agreement(0.45, 0.8, True)
    ('agrees', 'disagrees', 'not shown')
    """
    if math.isnan(low) or math.isnan(high):
        return NOT_TESTED
    if expected_high is None:
        return NO_EXPECTATION
    above, below = low > 0.5, high < 0.5
    if not above and not below:
        return NOT_SHOWN
    return AGREES if above == expected_high else DISAGREES


def _classes(dataset: Dataset) -> dict[str, str]:
    """Return the class of the study for each diagnosis of the seeds; empty unless both are recognised."""
    found = {
        side: [name for name, words in _CLASS_WORDS.items() if _begins(getattr(dataset, side), words)]
        for side in ("positive", "negative")
    }
    positive, negative = found["positive"], found["negative"]
    if len(positive) != 1 or len(negative) != 1 or positive == negative:
        return {}
    return {positive[0]: dataset.positive, negative[0]: dataset.negative}


def _begins(name: str, beginnings: tuple[str, ...]) -> bool:
    return name.strip().lower().startswith(beginnings)


def _by_size(
    dataset: Dataset, association: Result, sided: Sequence[str], confidence: float
) -> tuple[Dataset, dict[str, dict[str, Any]]]:
    """Return the dataset with the size of signs that have a side, and the tests of its features."""
    tables = [association.frame("features")]
    if sided:
        sizes = dataset.X[list(sided)].abs()
        alone = replace(dataset, X=sizes)
        tables.append(associate(alone, confidence=confidence).frame("features"))
        dataset = replace(dataset, X=dataset.X.assign(**{name: sizes[name] for name in sided}))
    return dataset, {
        str(row["feature"]): {str(name): value for name, value in row.items()}
        for table in tables
        for row in table.to_dict("records")
    }


def _row(
    entry: Mapping[str, Any],
    feature: str,
    tested: Mapping[str, Mapping[str, Any]],
    dataset: Dataset,
    classes: Mapping[str, str],
) -> dict[str, Any]:
    found = tested[feature]
    expected = classes.get(str(entry["sided"] or entry["direction"]), "")
    low, high = float(found["ci_low"]), float(found["ci_high"])
    evidence = entry["evidence"]
    return {
        **{name: entry[name] for name in REGISTRY_COLUMNS},
        "evidence": evidence if isinstance(evidence, str) else ", ".join(evidence),
        "sequence": parse_feature(feature).sequence,
        "feature": feature,
        "n": int(dataset.X[feature].notna().sum()),
        "n_absent": int(dataset.X[feature].isna().sum()),
        "auc": float(found["estimate"]),
        "ci_low": low,
        "ci_high": high,
        "p_value": float(found["p_value"]),
        "median_negative": float(found["median_negative"]),
        "median_positive": float(found["median_positive"]),
        "expected": expected,
        "agreement": agreement(low, high, expected == dataset.positive if expected else None),
        "note": str(found["note"]),
    }


def _values(dataset: Dataset, columns: Sequence[str]) -> pd.DataFrame:
    """Return the single values of the signs in long form, absent ones left out."""
    parts = []
    for feature in columns:
        values = dataset.X[feature].dropna()
        name = parse_feature(feature)
        parts.append(
            pd.DataFrame(
                {
                    "case_id": values.index.astype(str),
                    "subject_id": dataset.groups.loc[values.index].astype(str).to_numpy(),
                    "level": dataset.info.loc[values.index, "level"].astype(str).to_numpy(),
                    "y": dataset.y.loc[values.index].to_numpy(),
                    "sign": name.feature,
                    "sequence": name.sequence,
                    "value": values.to_numpy(dtype=np.float64),
                }
            )
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(VALUE_COLUMNS))


def _absences(absences: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """Return one row per sign and code; reasons that differ in numbers only are told by the commonest."""
    rows = [
        {"sign": sign, "code": code, "reason": _commonest(group["reason"]), "n": len(group)}
        for (sign, code), group in absences.groupby(["sign", "code"], sort=True)
    ]
    table = pd.DataFrame(rows, columns=list(ABSENCE_COLUMNS))
    place = {name: number for number, name in enumerate(order)}
    return table.sort_values("sign", key=lambda names: names.map(place), kind="stable", ignore_index=True)


def _commonest(reasons: pd.Series[str]) -> str:
    counts = reasons.astype(str).value_counts()
    return min(str(reason) for reason, times in counts.items() if times == counts.max())
