"""`Dataset`: what statistics and models see, aligned row by row, with an audit of what was left out."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from radiomics_vert.provenance import Provenance


@dataclass(frozen=True)
class Dataset:
    """Features, outcome and patients of the vertebrae under study.

    Parameters
    ----------
    X : DataFrame, shape (n, p)
        Numeric features; the index is the unit id (`<subject>_<level>`), unique.
    y : Series of int
        1 for the positive class, 0 for the negative; same index.
    groups : Series of str
        The patient of each row; same index.
    covariates : DataFrame
        Age, sex, level region, ...; same index, possibly without a column. Never part of `X`.
    audit : DataFrame
        One row per unit or row that was left out: `unit, subject_id, level, sequence, code, reason`.
    info : DataFrame
        `subject_id, session, level, site` of each row, `image_digest` where a table made elsewhere holds it,
        and `t_score, t_score_class, t_score_absent` where there is a measurement by DXA; same index.
    outcome, positive, negative : str
        Name of the outcome column and of its two classes.
    provenance : Provenance
        What it was made from.
    """

    X: pd.DataFrame
    y: pd.Series[int]
    groups: pd.Series[str]
    covariates: pd.DataFrame
    audit: pd.DataFrame
    info: pd.DataFrame
    outcome: str
    positive: str
    negative: str
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        if not self.X.index.is_unique:
            raise ValueError("the units of a dataset must be unique")
        for part in (self.y, self.groups, self.covariates, self.info):
            if not part.index.equals(self.X.index):
                raise ValueError("X, y, groups, covariates and info must have the same index")

    def __len__(self) -> int:
        return len(self.X)

    @property
    def n_subjects(self) -> int:
        """Number of patients."""
        return int(self.groups.nunique())

    def counts(self) -> dict[str, int]:
        """Return vertebrae per class, keyed by class name."""
        return {self.negative: int((self.y == 0).sum()), self.positive: int((self.y == 1).sum())}
