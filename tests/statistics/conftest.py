"""Cohorts with known truth, and datasets built by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.dataset.nouns import Dataset


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., Dataset]:
    """A dataset from plain arrays; positive class `metastatic`, negative `osteoporotic`."""

    def make(X, y, groups, *, covariates=None, levels=None) -> Dataset:
        index = pd.Index([f"v{i:04d}" for i in range(len(y))], name="unit")
        features = pd.DataFrame(X).set_axis(index)
        features.columns = features.columns.map(str)
        subjects = pd.Series([str(group) for group in groups], index=index, name="subject_id")
        info = pd.DataFrame({"subject_id": subjects, "session": "", "level": levels or "L1", "site": ""})
        frame = pd.DataFrame(index=index) if covariates is None else covariates.set_axis(index)
        return Dataset(
            X=features,
            y=pd.Series(np.asarray(y, dtype=int), index=index),
            groups=subjects,
            covariates=frame,
            audit=pd.DataFrame(),
            info=info,
            outcome="diagnosis",
            positive="metastatic",
            negative="osteoporotic",
        )

    return make


@pytest.fixture(scope="session")
def simulate() -> Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Vertebrae of patients of one diagnosis each: 1 to 4 per patient, intraclass correlation 0.4."""

    def draw(rng, n_patients, n_features, shift, icc=0.4):
        groups = np.repeat(np.arange(n_patients), rng.integers(1, 5, n_patients))
        y = (np.arange(n_patients) < n_patients // 2).astype(int)[groups]
        between = rng.normal(size=(n_patients, n_features))[groups]
        within = rng.normal(size=(len(groups), n_features))
        return y, np.sqrt(icc) * between + np.sqrt(1 - icc) * within + shift * y[:, None], groups

    return draw
