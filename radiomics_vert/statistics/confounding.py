"""`audit_confounding`: what else differs between the classes, and what features may really measure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiomics_vert.dataset.naming import SIGN, parse_feature
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.provenance import Provenance, versions
from radiomics_vert.results import Result
from radiomics_vert.roc import clustered_auc_screen
from radiomics_vert.roc.clusters import Bools
from radiomics_vert.statistics.acquisition import SLICE_THICKNESS, audited_variables, is_ordered
from radiomics_vert.statistics.contingency import CategoryAssociation, associate_categories
from radiomics_vert.statistics.duplicates import near_duplicates
from radiomics_vert.statistics.effects import spearman
from radiomics_vert.statistics.features import (
    VOLUMES,
    benjamini_hochberg,
    check_features,
    name_columns,
    volume_correlation,
)

VARIABLE_COLUMNS = (
    *("variable", "kind", "n", "n_subjects", "levels", "measure", "estimate", "ci_low", "ci_high"),
    *("largest_category", "standardized_difference", "statistic", "p_value", "p_adjusted"),
    *("flagged", "remark"),
)
FEATURE_COLUMNS = ("feature", "family", "volume_correlation", "thickness_correlation", "flagged", "remark")
SITE_COLUMNS = ("site", "n", "n_subjects", "n_positive", "positive_share", "one_label", "remark")
MISSING_COLUMNS = (
    *("feature", "role", "n_missing", "missing_positive", "missing_negative"),
    *("share_positive", "share_negative", "estimate", "ci_low", "ci_high", "p_value", "p_adjusted"),
    *("flagged", "remark"),
)
SIGNIFICANCE = 0.05
MAINLY = 0.8
IMBALANCE = 0.25
METHODS = {
    "variables": "quantities: Mann-Whitney AUC with clustered variance (Obuchowski 1997, "
    "doi:10.2307/2533958); categories: Cramer's V with a clustered score test (Boos 1992, "
    "doi:10.1080/00031305.1992.10475921), limits by the noncentral chi-squared distribution; flagged "
    f"where p_adjusted (Benjamini-Hochberg over the variables) is below {SIGNIFICANCE:g}",
    "features": f"Spearman correlation; flagged beyond {MAINLY:g} in either direction",
    "missingness": "AUC of the indicator of a missing value (above 0.5: missing more often in the "
    f"positive class), clustered; flagged where p_adjusted is below {SIGNIFICANCE:g}",
    "near_duplicates": "pairs of vertebrae of different patients with a root mean square difference "
    "below 0.05 robust standard deviations over 10 features or more",
    "covariates_alone": "how well the covariates alone predict the class, out of sample, is the feature "
    "set `covariates` of the validation; features have to do better than that",
}


def audit_confounding(
    dataset: Dataset, info: pd.DataFrame | None = None, *, confidence: float = 0.95
) -> Result:
    """Look for other reasons than the disease why the classes differ.

    Parameters
    ----------
    dataset : Dataset
        Features, outcome, patients, covariates, level and site.
    info : DataFrame, optional
        Further facts per unit, such as scanner, field strength, kVp, slice thickness, contrast phase;
        the index holds the unit ids. Slice thickness is found as `slice_thickness`,
        `slice_thickness_mm` or `SliceThickness`.
    confidence : float, default 0.95
        Confidence level of all intervals.

    Returns
    -------
    Result
        Kind `confounding`. Table `variables` (:data:`VARIABLE_COLUMNS`): the class against each
        variable. Table `features` (:data:`FEATURE_COLUMNS`): what mainly measures volume or slice
        thickness. Table `sites` (:data:`SITE_COLUMNS`): a site with one class only cannot tell disease
        from site. Table `missingness` (:data:`MISSING_COLUMNS`): features and variables with missing
        values (`role` tells them apart), and whether their absence alone predicts the class. Table
        `near_duplicates`: pairs of vertebrae that may be one patient under two ids.

    Raises
    ------
    DatasetError
        RV402: one class only. RV406: fewer than two patients in a class.
    AnalysisError
        RV503: the dataset has no feature, or `info` does not fit it.

    Notes
    -----
    A variable that is not flagged is not thereby balanced: `remark` names differences that are large
    but uncertain. Age and sex may differ because the diseases do; adjusting for them is a decision of
    the study, not of this table.
    """
    positive, patients = check_features(dataset)
    variables = audited_variables(dataset, info)
    table = _variables(variables, dataset, positive, patients, confidence)
    return Result(
        "confounding",
        {
            "variables": table,
            "features": _features(dataset, variables),
            "sites": _sites(dataset, variables),
            "missingness": _missingness(dataset, variables, confidence),
            "near_duplicates": near_duplicates(dataset),
        },
        {
            "outcome": dataset.outcome,
            "positive": dataset.positive,
            "negative": dataset.negative,
            "confidence": confidence,
            "unit": "vertebra, clustered in the patient",
            "n": len(dataset),
            "n_subjects": dataset.n_subjects,
            "significance": SIGNIFICANCE,
            "methods": METHODS,
        },
        Provenance({"versions": versions(), "dataset": dict(dataset.provenance.reproducible)}),
    )


def _variables(
    variables: pd.DataFrame,
    dataset: Dataset,
    positive: Bools,
    patients: NDArray[np.intp],
    confidence: float,
) -> pd.DataFrame:
    rows = []
    for name in variables.columns:
        values = variables[name]
        known = values.notna().to_numpy()
        head = {
            "variable": name,
            "kind": "quantity" if is_ordered(name, values) else "categories",
            "n": int(known.sum()),
            "n_subjects": len(np.unique(patients[known])),
            "levels": int(values.nunique()),
            **dict.fromkeys(("measure", "largest_category", "remark"), ""),
        }
        obstacle = _untestable(head, positive[known], patients[known])
        if obstacle:
            rows.append({**head, "remark": obstacle})
        elif head["kind"] == "quantity":
            rows.append({**head, **_quantity(values, dataset, confidence)})
        else:
            rows.append({**head, **_categories(values[known], positive[known], patients[known], confidence)})
    table = pd.DataFrame(rows, columns=list(VARIABLE_COLUMNS))
    return _judged(table, dataset)


def _untestable(head: dict[str, Any], positive: Bools, patients: NDArray[np.intp]) -> str:
    if head["levels"] < 2:
        return "one value only: it cannot differ between the classes" if head["levels"] else "no value"
    if min(len(np.unique(patients[positive == label])) for label in (True, False)) < 2:
        return "known in fewer than two patients of a class"
    if head["kind"] == "categories" and head["levels"] > head["n_subjects"] / 2:
        return "almost every patient has an own value: not tested"
    return ""


def _quantity(values: pd.Series[Any], dataset: Dataset, confidence: float) -> dict[str, Any]:
    number = values.to_numpy(dtype=np.float64, na_value=np.nan)
    row = clustered_auc_screen(dataset.y, number[:, None], dataset.groups, confidence=confidence).iloc[0]
    names = ("estimate", "ci_low", "ci_high", "statistic", "p_value")
    return {
        "measure": "AUC",
        **{name: float(row[name]) for name in names},
        "standardized_difference": _difference(number, dataset.y.to_numpy() == 1),
    }


def _difference(values: NDArray[np.float64], positive: Bools) -> float:
    """Return the difference of means over the root of the mean variance (Austin 2009)."""
    parts = [values[members & ~np.isnan(values)] for members in (positive, ~positive)]
    spread = np.sqrt(np.mean([part.var(ddof=1) for part in parts])) if min(map(len, parts)) > 1 else 0.0
    return float((parts[0].mean() - parts[1].mean()) / spread) if spread > 0 else np.nan


def _categories(
    values: pd.Series[Any], positive: Bools, patients: NDArray[np.intp], confidence: float
) -> dict[str, Any]:
    codes, names = pd.factorize(values.map(_text), sort=True)
    found: CategoryAssociation = associate_categories(positive, codes, patients, confidence=confidence)
    return {
        "measure": "Cramer's V",
        "estimate": found.cramers_v,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "largest_category": str(names[found.largest]),
        "standardized_difference": found.difference,
        "statistic": found.statistic,
        "p_value": found.p_value,
    }


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _judged(table: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    numeric = [name for name in VARIABLE_COLUMNS[6:14] if name != "largest_category"]
    table = table.astype(dict.fromkeys(numeric, "float64"))
    table["p_adjusted"] = benjamini_hochberg(table["p_value"])
    table["flagged"] = table["p_adjusted"] < SIGNIFICANCE
    large = table["standardized_difference"].abs() > IMBALANCE
    remark = table["remark"].mask(
        table["flagged"],
        f"differs between {dataset.positive} and {dataset.negative}: a feature that depends on it "
        "separates them without the disease; adjust for it or match",
    )
    remark = remark.mask(
        ~table["flagged"] & large & table["p_value"].notna(),
        "a difference that is large but uncertain: not flagged, yet not balanced either",
    )
    return table.assign(remark=remark)


def _features(dataset: Dataset, variables: pd.DataFrame) -> pd.DataFrame:
    names = name_columns(dataset.X.columns)
    rows = np.ascontiguousarray(dataset.X.to_numpy(dtype=np.float64, na_value=np.nan).T)
    rows = np.where(np.isinf(rows), np.nan, rows)
    table = names[["feature", "family"]].copy()
    table["volume_correlation"] = volume_correlation(rows, names)
    table["thickness_correlation"] = _thickness_correlation(rows, variables)
    volume = (names["feature_class"] == "shape") & names["feature"].str.endswith(VOLUMES)
    by_volume = (table["volume_correlation"].abs() > MAINLY) & ~volume
    by_thickness = table["thickness_correlation"].abs() > MAINLY
    table["flagged"] = by_volume | by_thickness
    remark = pd.Series("", index=table.index).mask(volume, "the volume itself")
    remark = remark.mask(by_volume, "mainly measures volume")
    remark = remark.mask(by_thickness, "mainly measures slice thickness")
    table["remark"] = remark.mask(by_volume & by_thickness, "mainly measures volume and slice thickness")
    return table[list(FEATURE_COLUMNS)]


def _thickness_correlation(rows: NDArray[np.float64], variables: pd.DataFrame) -> NDArray[np.float64]:
    for name in SLICE_THICKNESS:
        if name in variables.columns and pd.api.types.is_numeric_dtype(variables[name]):
            thickness = variables[name].to_numpy(dtype=np.float64, na_value=np.nan)
            return spearman(rows, thickness)
    return np.full(len(rows), np.nan)


def _sites(dataset: Dataset, variables: pd.DataFrame) -> pd.DataFrame:
    if "site" not in variables.columns:
        return pd.DataFrame(columns=list(SITE_COLUMNS))
    rows = []
    site = variables["site"].map(_text, na_action="ignore")
    for name in sorted(site.dropna().unique()):
        inside = site == name
        share = float(dataset.y[inside].mean())
        one = share in (0.0, 1.0)
        label = dataset.positive if share == 1 else dataset.negative
        rows.append(
            {
                "site": name,
                "n": int(inside.sum()),
                "n_subjects": int(dataset.groups[inside].nunique()),
                "n_positive": int(dataset.y[inside].sum()),
                "positive_share": share,
                "one_label": one,
                "remark": f"only {label}: site and class cannot be told apart here" if one else "",
            }
        )
    return pd.DataFrame(rows, columns=list(SITE_COLUMNS))


def _missingness(dataset: Dataset, variables: pd.DataFrame, confidence: float) -> pd.DataFrame:
    absent = pd.concat([dataset.X.isna(), variables.isna()], axis=1)
    signs = [parse_feature(str(name)).feature_class == SIGN for name in dataset.X.columns]
    role = np.array([*("sign" if sign else "feature" for sign in signs), *["variable"] * variables.shape[1]])
    some = absent.any().to_numpy() & ~absent.all().to_numpy()
    absent, role = absent.loc[:, some], role[some]
    positive = dataset.y.to_numpy() == 1
    screen = clustered_auc_screen(
        dataset.y, absent.to_numpy(dtype=np.float64), dataset.groups, confidence=confidence
    )
    table = pd.DataFrame({"feature": [str(name) for name in absent.columns], "role": role})
    cells = absent.to_numpy()
    table["n_missing"] = cells.sum(axis=0)
    for side, members in (("positive", positive), ("negative", ~positive)):
        table[f"missing_{side}"] = cells[members].sum(axis=0)
        table[f"share_{side}"] = cells[members].mean(axis=0)
    for name in ("estimate", "ci_low", "ci_high", "p_value"):
        table[name] = screen[name].astype("float64")
    table["p_adjusted"] = benjamini_hochberg(table["p_value"])
    table["flagged"] = table["p_adjusted"] < SIGNIFICANCE
    where = np.where(table["estimate"] > 0.5, dataset.positive, dataset.negative)
    # A sign may have no value by its definition (the shape of a bulge that is not there): no trap.
    remark = [
        f"absent more often in {side}, by its definition or because masks are missing: see its reasons"
        if what == "sign"
        else f"missing more often in {side}: its absence alone predicts the class; do not impute it or "
        "code it as missing in a model"
        for side, what in zip(where, role, strict=True)
    ]
    table["remark"] = pd.Series(remark, index=table.index, dtype="object").where(table["flagged"], "")
    return table[list(MISSING_COLUMNS)]
