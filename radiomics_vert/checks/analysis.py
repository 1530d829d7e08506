"""What can be seen in a feature table and a dataset before a statistic is trusted."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pandas as pd

from radiomics_vert.checks.findings import Finding
from radiomics_vert.checks.identities import check_identities
from radiomics_vert.dataset import Dataset
from radiomics_vert.dataset.dxa import ABSENT
from radiomics_vert.feature_table import FeatureTable
from radiomics_vert.phrases import count, nearest, vertebrae
from radiomics_vert.results import Result
from radiomics_vert.storage import blanks_filled

# Texture matrices over fewer bins blur, over more they become sparse; pyradiomics' documentation
# names 16 to 128 (examples) and 30 to 130 (FAQ) bins as the range in use. [O] we warn outside 16-256.
GREY_LEVELS = (16, 256)
# [O] The usual rule of thumb of ten patients with the event per parameter, for one parameter.
MINIMUM_PATIENTS = 10
EVENTS_PER_PARAMETER = 10
_NEAR = 0.75  # [O] likeness of a misspelt class; "traumatic" is not "metastatic"
# [O] Below it simulated intervals hold the truth too rarely: analysis/simulations/small_cohorts.csv.
LARGE_SAMPLE_PATIENTS = 20


def check_features(table: FeatureTable) -> list[Finding]:
    """Check a feature table: failed cases, grey levels, values that are not finite.

    Parameters
    ----------
    table : FeatureTable
        What :func:`radiomics_vert.extract` returned.

    Returns
    -------
    list of Finding
    """
    return [*_failures(table), *grey_level_findings(table.diagnostics), *_not_finite(table)]


def check_dataset(dataset: Dataset, outer_folds: int | None = 5) -> list[Finding]:
    """Check a dataset: size of the classes, and what was left out of it.

    Parameters
    ----------
    dataset : Dataset
        What :func:`radiomics_vert.merge` returned.
    outer_folds : int or None, default 5
        Folds of the planned cross-validation, each of which needs a patient of each class; None where
        the folds are sites.

    Returns
    -------
    list of Finding
    """
    return [
        *check_identities(dataset),
        *_class_sizes(dataset, outer_folds),
        *_large_sample(dataset),
        *_left_out(dataset),
        *_constant(dataset),
        *_many_candidates(dataset),
        *_mixed_covariates(dataset),
        *_empty_covariates(dataset),
        *_without_t_score(dataset),
    ]


def check_validation(validation: Result) -> list[Finding]:
    """Check a validation: fits that did not converge.

    Parameters
    ----------
    validation : Result
        What :func:`radiomics_vert.cross_validate` returned.

    Returns
    -------
    list of Finding
    """
    folds = validation.frame("folds")
    return [*_unconverged(folds), *_without_features(folds)]


def _unconverged(folds: pd.DataFrame) -> Iterator[Finding]:
    wrong = folds[folds["convergence_warnings"] > 0]
    if len(wrong):
        yield Finding(
            "RV504",
            "warning",
            f"the fit did not converge in {len(wrong)} of {len(folds)} outer folds",
            "trust the coefficients of these folds less; a stronger penalty converges sooner",
            _fold_names(wrong),
        )


def _without_features(folds: pd.DataFrame) -> Iterator[Finding]:
    empty = folds[folds["n_selected"] == 0]
    if len(empty):
        yield Finding(
            "RV508",
            "warning",
            f"the penalty removed every feature in {len(empty)} of {len(folds)} outer folds: there is little "
            "to learn, and the AUC over all folds falls below 0.5 by construction, not by an inverse effect",
            "read the AUC within folds (the column auc of the folds), and expect no use of this model",
            _fold_names(empty),
        )


def _fold_names(folds: pd.DataFrame) -> tuple[str, ...]:
    names = folds["feature_set"] + ", repeat " + folds["repeat"].astype(str)
    return tuple(names + ", fold " + folds["fold"].astype(str))


def _failures(table: FeatureTable) -> Iterator[Finding]:
    failures = blanks_filled(table.failures)
    for (code, remedy), group in failures.groupby(["code", "remedy"], sort=False):
        yield Finding(
            str(code),
            "error",
            f"{len(group)} of {table.n_cases} cases have no features: {group['found'].iloc[0]}",
            str(remedy),
            tuple(group["case_id"]),
        )


def grey_level_findings(diagnostics: pd.DataFrame) -> Iterator[Finding]:
    """Yield a finding each for one grey level, for too few and for too many.

    Parameters
    ----------
    diagnostics : DataFrame
        With the columns `case_id` and, where it is known, `grey_levels`.
    """
    if "grey_levels" not in diagnostics:
        return
    levels = pd.to_numeric(diagnostics["grey_levels"])
    single = levels == 1
    if single.any():
        yield Finding(
            "RV302",
            "warning",
            f"{count(int(single.sum()), 'case')} with one grey level on the original image: texture features "
            "are those of no texture, and mean nothing",
            "check that image and mask belong together, then change binWidth (or use binCount)",
            tuple(diagnostics.loc[single, "case_id"]),
        )
    low, high = GREY_LEVELS
    few = (levels < low) & ~single
    for wrong, word in ((few, f"fewer than {low}"), (levels > high, f"more than {high}")):
        if wrong.any():
            yield Finding(
                "RV305",
                "warning",
                f"{int(wrong.sum())} cases have {word} grey levels on the original image, so their texture "
                "features say little",
                "change binWidth (or use binCount) in the parameter file",
                tuple(diagnostics.loc[wrong, "case_id"]),
            )


def _not_finite(table: FeatureTable) -> Iterator[Finding]:
    for sequence, group in table.values.groupby("sequence", sort=False):
        block = group[table.features].dropna(axis="columns", how="all")
        holes = block.isna().any(axis="columns")
        if holes.any():
            yield Finding(
                "RV309",
                "note",
                f"{int(holes.sum())} {sequence} cases lack a value in some of {block.shape[1]} features",
                "usually flat or tiny regions; the pipeline imputes within training folds",
                tuple(group.loc[holes, "case_id"]),
            )


def _class_sizes(dataset: Dataset, outer_folds: int | None) -> Iterator[Finding]:
    for name, value in _classes(dataset):
        patients = dataset.groups[dataset.y == value].nunique()
        if outer_folds is not None and patients < outer_folds:
            yield Finding(
                "RV502",
                "error",
                f"{count(patients, 'patient')} with {name}, fewer than the {outer_folds} outer folds",
                f"use at most {patients} outer folds, or collect more patients"
                if patients > 1
                else "collect more patients: with fewer than 2 in a class nothing can be validated",
            )
        elif patients < MINIMUM_PATIENTS:
            yield Finding(
                "RV406",
                "warning",
                f"{count(patients, 'patient')} with {name}: intervals will be very wide and no model can be "
                "trusted",
                "treat every result as a description of these patients",
            )


def _large_sample(dataset: Dataset) -> Iterator[Finding]:
    """Yield a finding where intervals and p values clustered by patient are too good."""
    each = {name: dataset.groups[dataset.y == value].nunique() for name, value in _classes(dataset)}
    few = {name: patients for name, patients in each.items() if patients < LARGE_SAMPLE_PATIENTS}
    if few:
        told = " and ".join(f"{patients} patients with {name}" for name, patients in few.items())
        yield Finding(
            "RV515",
            "warning",
            f"{told}: intervals and p values clustered by patient are made for many patients. In simulated "
            "cohorts with 8 to 16 patients per class 95 % intervals of the AUC held the truth in 92 to 95 %, "
            "of 0.97 in 86 to 90 %, and 5 to 6 % of p values without any difference were below 0.05",
            f"read intervals as somewhat too narrow; from {LARGE_SAMPLE_PATIENTS} patients per class on they "
            "are close to nominal",
        )


def _classes(dataset: Dataset) -> tuple[tuple[str, int], tuple[str, int]]:
    return (dataset.negative, 0), (dataset.positive, 1)


def _left_out(dataset: Dataset) -> Iterator[Finding]:
    dropped = dataset.audit[dataset.audit["code"].isin(["RV403", "RV110"])]
    for (code, reason), group in dropped.groupby(["code", "reason"], sort=False):
        meant = _misspelt(str(reason), dataset)
        yield Finding(
            str(code),
            "warning" if meant else "note",
            f"{len(group)} left out: {reason}",
            f"did you mean {meant!r}? Correct the clinical table, or go on if this is another class"
            if meant
            else "nothing to do if this is what the study intends",
            tuple(group["unit"]),
        )


def _misspelt(reason: str, dataset: Dataset) -> str:
    """Return the class that a row was probably meant to have; empty where none is near."""
    value = re.search(r" is '(.+)'$", reason)
    return nearest(value[1], [dataset.negative, dataset.positive], _NEAR) if value else ""


def _without_t_score(dataset: Dataset) -> Iterator[Finding]:
    if ABSENT not in dataset.info:
        return
    lacking = dataset.info[dataset.info[ABSENT] != ""]
    for reason, group in lacking.groupby(ABSENT, sort=True):
        yield Finding(
            "RV417",
            "note",
            f"{vertebrae(len(group))} of {count(group['subject_id'].nunique(), 'patient')}: {reason}",
            "complete age, sex and menopausal status where they are known; the Z-score is for the others",
            tuple(map(str, group.index)),
        )


def _many_candidates(dataset: Dataset) -> Iterator[Finding]:
    events, candidates = min(dataset.counts().values()), dataset.X.shape[1]
    if candidates and events < EVENTS_PER_PARAMETER * candidates:
        yield Finding(
            "RV505",
            "note",
            f"{candidates} candidate features for {vertebrae(events)} of the rarer class",
            "believe validated results only; a plain regression on so many features would fit noise",
        )


def _mixed_covariates(dataset: Dataset) -> Iterator[Finding]:
    for name in dataset.covariates.columns:
        column = dataset.covariates[name].dropna()
        if pd.api.types.is_numeric_dtype(column) or column.empty:
            continue
        text = column[pd.to_numeric(column, errors="coerce").isna()]
        if len(text) < len(column) / 2:
            yield Finding(
                "RV410",
                "warning",
                f"{name} is a number in {len(column) - len(text)} rows and text in {len(text)}, such as "
                f"{str(text.iloc[0])!r}: every value would be a category of its own",
                "correct the cells in the clinical table (decimal point, no signs, no units)",
                tuple(map(str, text.index)),
            )


def _empty_covariates(dataset: Dataset) -> Iterator[Finding]:
    empty = [str(name) for name in dataset.covariates.columns if dataset.covariates[name].isna().all()]
    if empty:
        yield Finding(
            "RV419",
            "warning",
            f"no vertebra has a value of {', '.join(empty)}: nothing can be adjusted for it",
            "fill the column, or leave the covariate out; level_region and level_order need masks that name "
            "levels",
        )


def _constant(dataset: Dataset) -> Iterator[Finding]:
    constant = dataset.X.columns[dataset.X.nunique(dropna=True) < 2]
    if len(constant):
        yield Finding(
            "RV503",
            "note",
            f"{len(constant)} of {dataset.X.shape[1]} features have one value (or none) in all vertebrae",
            "they are reported as not testable and removed inside every training fold",
            tuple(map(str, constant)),
        )
