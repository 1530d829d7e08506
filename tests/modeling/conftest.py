"""Datasets that the modeling tests share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.dataset.nouns import Dataset

DatasetFactory = Callable[..., Dataset]


@pytest.fixture(scope="session")
def make_dataset() -> DatasetFactory:
    """Factory: patients with `per_patient` vertebrae, patient effect `icc`, shifted first features."""

    def factory(
        seed: int = 0,
        *,
        patients: int = 30,
        per_patient: int = 2,
        features: int = 12,
        informative: int = 2,
        shift: float = 0.0,
        icc: float = 0.4,
    ) -> Dataset:
        rng = np.random.default_rng(seed)
        patient = np.repeat(np.arange(patients), per_patient)
        own = rng.normal(size=(patients, features))[patient]
        X = np.sqrt(icc) * own + np.sqrt(1 - icc) * rng.normal(size=own.shape)
        y = patient % 2
        X[:, :informative] += shift * y[:, None]
        unit = pd.Index([f"P{p:03d}_L{v % per_patient + 1}" for v, p in enumerate(patient)])
        subject = pd.Series([f"P{p:03d}" for p in patient], index=unit)
        covariates = pd.DataFrame(
            {
                "age": 60.0 + 10 * y + rng.normal(size=len(y)),
                "sex": np.where(patient % 3 == 0, "male", "female"),
            },
            index=unit,
        )
        return Dataset(
            X=pd.DataFrame(X, index=unit, columns=[f"f{j:03d}" for j in range(features)]),
            y=pd.Series(y, index=unit),
            groups=subject,
            covariates=covariates,
            audit=pd.DataFrame(),
            info=pd.DataFrame({"subject_id": subject}, index=unit),
            outcome="diagnosis",
            positive="metastatic",
            negative="osteoporotic",
        )

    return factory
