"""Findings of the confounding audit: what makes an association or a model worth less than it looks."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from radiomics_vert.checks.findings import Finding
from radiomics_vert.phrases import count
from radiomics_vert.results import Result

SHOWN = 3


def check_confounding(audit: Result) -> list[Finding]:
    """Check a confounding audit: telling gaps, patients under two ids, sites with one class.

    Parameters
    ----------
    audit : Result
        What :func:`radiomics_vert.audit_confounding` returned.

    Returns
    -------
    list of Finding
        RV414 a feature or variable whose absence predicts the class (signs may be absent by their
        definition and are passed over); RV415 vertebrae of two patients with nearly the same features;
        RV520 sites with one class only.
    """
    return [*_telling_gaps(audit), *_near_duplicates(audit), *_one_class_sites(audit)]


def _telling_gaps(audit: Result) -> Iterator[Finding]:
    table = audit.frame("missingness")
    rows = table[table["flagged"].astype(bool) & (table["role"] != "sign")] if len(table) else table
    if rows.empty:
        return
    positive, negative = audit.spec["positive"], audit.spec["negative"]
    shown = [
        f"{row['feature']} is missing in {row['share_positive']:.0%} of {positive} and "
        f"{row['share_negative']:.0%} of {negative}"
        for row in rows.head(SHOWN).to_dict("records")
    ]
    yield Finding(
        "RV414",
        "warning",
        f"{'; '.join(shown)}: whether it was measured predicts the class without any image",
        "find out why it is missing; leave it out of models, and do not impute it",
        tuple(rows["feature"].astype(str)),
    )


def _near_duplicates(audit: Result) -> Iterator[Finding]:
    pairs = audit.frame("near_duplicates")
    if pairs.empty:
        return
    same = int(pairs["identical"].astype(bool).sum())
    first = pairs.iloc[0]
    yield Finding(
        "RV415",
        "warning",
        f"{count(len(pairs), 'pair')} of vertebrae of different patients with nearly the same features, "
        f"{same} of them the same to the last digit; nearest: {first['unit_a']} and {first['unit_b']}",
        "if it is one patient under two ids, give all its rows one id: otherwise it is in training and test",
        tuple(pairs["unit_a"].astype(str) + " = " + pairs["unit_b"].astype(str)),
    )


def _one_class_sites(audit: Result) -> Iterator[Finding]:
    sites: pd.DataFrame = audit.frame("sites")
    rows = sites[sites["one_label"].astype(bool)] if len(sites) else sites
    if rows.empty:
        return
    told = "; ".join(f"{row['site']}: {row['remark']}" for row in rows.head(SHOWN).to_dict("records"))
    yield Finding(
        "RV520",
        "warning",
        f"{len(rows)} of {count(len(sites), 'site')} with one class ({told})",
        "compare within sites that have both classes; whatever differs between scanners separates the rest",
        tuple(rows["site"].astype(str)),
    )
