"""The rows and columns of one feature's adjusted model, and what had to be left out of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiomics_vert.roc.clusters import Bools, Floats

_RANK = 1e-8  # a column is new when so much of its length is not explained by those before it


@dataclass(frozen=True)
class Design:
    """One feature's model: the vertebrae that have everything, and independent columns.

    Parameters
    ----------
    y : ndarray, shape (n,)
        1 for the positive class, 0 for the negative.
    patients : ndarray of int, shape (n,)
        Number of each vertebra's patient, counted from 0 without gaps.
    feature : ndarray, shape (n,)
        In standard deviations; 0 and 1 for a feature with two values.
    covariates : ndarray, shape (n, q)
        In standard deviations; without constant or dependent columns.
    names : tuple of str
        Of the covariates.
    notes : tuple of str
        What was left out, and why.
    binary : bool
        Whether the feature has two values.
    obstacle : str
        Why nothing can be estimated; empty where it can.
    """

    y: Floats
    patients: NDArray[np.intp]
    feature: Floats
    covariates: Floats
    names: tuple[str, ...]
    notes: tuple[str, ...]
    binary: bool
    obstacle: str

    @property
    def n_subjects(self) -> int:
        """Number of patients."""
        return len(np.unique(self.patients))

    @property
    def freedom(self) -> int:
        """Patients minus parameters: intercept, feature (or class) and covariates."""
        return self.n_subjects - 2 - len(self.names)

    def matrix(self, second: Floats) -> Floats:
        """Return the columns: ones, `second`, covariates."""
        return np.column_stack([np.ones(len(self.y)), second, self.covariates])

    def smallest_cell(self) -> int:
        """Return the fewest patients in a cell of the 2x2 table of a binary feature and the class."""
        cells = [(self.feature == a) & (self.y == b) for a in (0, 1) for b in (0, 1)]
        return min(len(np.unique(self.patients[cell])) for cell in cells)

    def design_effect(self) -> float:
        """Return by how much clustering inflates the variance of the association, at least 1.

        The contributions u of the vertebrae to the partial covariance of feature and class, given the
        covariates, are summed within patients: sum (sum u)^2 / sum u^2, as by Rao and Scott 1992
        (doi:10.2307/2532311).
        """
        basis = np.linalg.qr(np.column_stack([np.ones(len(self.y)), self.covariates]))[0]
        rest = [column - basis @ (basis.T @ column) for column in (self.feature, self.y)]
        parts = rest[0] * rest[1]
        sums = np.bincount(self.patients, weights=parts)
        return float(max(1.0, np.square(sums).sum() / np.square(parts).sum()))

    def class_varies_within(self) -> bool:
        """Whether any patient has vertebrae of both classes."""
        positive = np.bincount(self.patients, weights=self.y)
        return bool(((positive > 0) & (positive < np.bincount(self.patients))).any())


@dataclass(frozen=True)
class Units:
    """What the models of all features share.

    Parameters
    ----------
    positive : ndarray of bool, shape (n,)
        Outcome.
    patients : ndarray of int, shape (n,)
        Number of each vertebra's patient.
    covariates : ndarray, shape (n, q)
        Numbers and 0/1 codes; NaN where missing.
    names : tuple of str
        Of the covariate columns.
    notes : tuple of str
        What holds for every feature.
    """

    positive: Bools
    patients: NDArray[np.intp]
    covariates: Floats
    names: tuple[str, ...]
    notes: tuple[str, ...]

    def design(self, values: Floats) -> Design:
        """Return the model of one feature.

        Parameters
        ----------
        values : ndarray, shape (n,)
            NaN where missing.

        Returns
        -------
        Design
        """
        complete = ~np.isnan(self.covariates).any(axis=1)
        rows = complete & ~np.isnan(values)
        dropped = int((~np.isnan(values) & ~complete).sum())
        feature, binary = _scaled_feature(values[rows])
        kept, covariates, lost = _independent(self.covariates[rows])
        notes = list(self.notes)
        if dropped:
            notes.append(f"{dropped} vertebrae without a covariate left out")
        notes += [f"covariate {self.names[column]} left out: {why}" for column, why in lost]
        patients = np.unique(self.patients[rows], return_inverse=True)[1]
        y = self.positive[rows].astype(np.float64)
        bare = Design(
            y, patients, feature, covariates, tuple(self.names[i] for i in kept), tuple(notes), binary, ""
        )
        return Design(**{**bare.__dict__, "obstacle": _obstacle(values[rows], bare)})


def _scaled_feature(values: Floats) -> tuple[Floats, bool]:
    different = np.unique(values)
    if len(different) == 2:
        return (values == different[1]).astype(np.float64), True
    if len(different) < 2 or np.isinf(values).any():
        return np.zeros(len(values)), False
    return _standardised(values), False


def _standardised(values: Floats) -> Floats:
    centred = values - values.mean()
    spread = np.sqrt(np.square(centred).sum() / max(len(values) - 1, 1))
    return np.asarray(centred / spread)


def _independent(table: Floats) -> tuple[list[int], Floats, list[tuple[int, str]]]:
    """Return numbers and standardised values of the columns that vary and add something new."""
    kept: list[int] = []
    lost: list[tuple[int, str]] = []
    basis = np.ones((len(table), 1)) / np.sqrt(max(len(table), 1))
    columns = []
    for number, column in enumerate(table.T):
        if len(column) == 0 or (column == column[0]).all():
            lost.append((number, "one value only"))
            continue
        scaled = _standardised(column)
        rest = _residual(scaled, basis)
        if rest is None:
            lost.append((number, "a combination of the other covariates"))
            continue
        kept.append(number)
        columns.append(scaled)
        basis = np.column_stack([basis, rest])
    return kept, np.column_stack(columns) if columns else np.empty((len(table), 0)), lost


def _residual(column: Floats, basis: Floats) -> Floats | None:
    """Return the unit vector of what an orthonormal basis leaves of a column; None for nothing."""
    rest = column - basis @ (basis.T @ column)
    rest = rest - basis @ (basis.T @ rest)  # twice is enough for orthogonality to rounding
    length = np.linalg.norm(rest)
    return np.asarray(rest / length) if length > _RANK * np.linalg.norm(column) else None


def _obstacle(values: Floats, design: Design) -> str:
    """Say why the model cannot be estimated; empty where nothing stands in the way."""
    if len(values) == 0:
        return "no vertebra has the feature and all covariates"
    if np.isinf(values).any():
        return "the feature holds infinite values"
    if (values == values[0]).all():
        return "the feature is constant"
    for label, name in ((1, "positive"), (0, "negative")):
        if len(np.unique(design.patients[design.y == label])) < 2:
            return f"fewer than two patients with a {name} vertebra"
    if design.freedom < 1:
        return f"{design.n_subjects} patients are too few for {design.n_subjects - design.freedom} parameters"
    basis = np.linalg.qr(np.column_stack([np.ones(len(values)), design.covariates]))[0]
    if _residual(design.feature, basis) is None:
        return "the feature is a combination of the covariates"
    if _residual(design.y, basis) is None:
        return "the covariates determine the class"
    return ""
