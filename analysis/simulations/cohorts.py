"""Simulated cohorts with known truth, and how the studies of this folder write their tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from radiomics_vert.dataset.nouns import Dataset

FloatArray = NDArray[np.float64]
FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Quantity:
    """A measurement, normally distributed in each class.

    Parameters
    ----------
    malignant, benign : tuple of float
        Mean and standard deviation between vertebrae.
    """

    malignant: tuple[float, float]
    benign: tuple[float, float]

    @property
    def auc(self) -> float:
        """The binormal AUC: probability that a malignant vertebra has the higher value."""
        difference = self.malignant[0] - self.benign[0]
        return float(norm.cdf(difference / np.hypot(self.malignant[1], self.benign[1])))


PUBLISHED: Mapping[str, Quantity] = {
    "fat_drop_region_2": Quantity((41, 16), (7, 8)),  # Bacher 2021, table 3
    "fat_drop_region_1": Quantity((43, 13), (13, 13)),
    "fat_fraction_map": Quantity((35, 14), (18, 14)),
    "proton_density_fat_fraction": Quantity((23.99, 11.86), (3.48, 3.30)),  # Schmeel
    "lateral_angle": Quantity((7.0, 4.5), (3.1, 2.8)),  # Suzuki 2017
}
"""Means and standard deviations of published studies."""


def simulate(
    seed: tuple[int, ...],
    patients: int,
    icc: float,
    noise: int,
    *,
    quantities: Mapping[str, Quantity] = PUBLISHED,
    per_patient: tuple[int, int] = (1, 4),
) -> Dataset:
    """Draw a cohort: every second patient malignant, vertebrae of a patient alike.

    Parameters
    ----------
    seed : tuple of int
        Root of the randomness.
    patients : int
        Number of patients.
    icc : float
        Share of the variance within a class that lies between patients.
    noise : int
        Number of features without any difference, named `noise_000` and so on.
    quantities : mapping of str to Quantity
        The features with a difference; they are independent of each other within the classes.
    per_patient : tuple of int, default (1, 4)
        Smallest and largest number of vertebrae.

    Returns
    -------
    Dataset
    """
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), rng.integers(per_patient[0], per_patient[1] + 1, patients))
    y = patient % 2
    names = [*quantities, *(f"noise_{number:03d}" for number in range(noise))]
    between = rng.normal(size=(patients, len(names)))[patient]
    z = np.sqrt(icc) * between + np.sqrt(1 - icc) * rng.normal(size=between.shape)
    for column, quantity in enumerate(quantities.values()):
        mean, sd = (np.where(y == 1, *pair) for pair in zip(quantity.malignant, quantity.benign, strict=True))
        z[:, column] = mean + sd * z[:, column]
    return _dataset(pd.DataFrame(z, columns=names), y, patient)


def _dataset(X: pd.DataFrame, y: NDArray[np.int_], patient: NDArray[np.int_]) -> Dataset:
    subjects = pd.Series([f"P{number:05d}" for number in patient])
    counter = subjects.groupby(subjects).cumcount() + 1
    units = pd.Index(subjects + "_L" + counter.astype(str))
    groups = subjects.set_axis(units)
    return Dataset(
        X=X.set_axis(units),
        y=pd.Series(y, index=units),
        groups=groups,
        covariates=pd.DataFrame(index=units),
        audit=pd.DataFrame(),
        info=pd.DataFrame({"subject_id": groups}),
        outcome="diagnosis",
        positive="metastatic",
        negative="osteoporotic",
    )


def write(table: pd.DataFrame, name: str) -> None:
    """Write a result table beside the code, and print it."""
    table.to_csv(FOLDER / f"{name}.csv", index=False, float_format="%.4f", lineterminator="\n")
    print(table.to_string(index=False, float_format="%.3f"))


def committed(name: str) -> pd.DataFrame:
    """Read a result table of this folder."""
    return pd.read_csv(FOLDER / f"{name}.csv")
