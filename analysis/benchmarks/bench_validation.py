"""Measure the full nested cross-validation of several models, with the time of each stage from the log.

Run this file, or with `--help`. What is measured is explained in README.md beside it.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from radiomics_vert.dataset import Dataset
from radiomics_vert.modeling import ModelSpec, ValidationSpec, cross_validate_many
from radiomics_vert.results import Result

MODELS = ("elastic_net", "linear_svm", "random_forest", "hist_gradient_boosting")
DIFFERENT = 20
"""Features that differ between the classes."""


@dataclass(frozen=True)
class Size:
    """How much is validated: vertebrae, patients, features; models; outer and inner folds, repeats."""

    vertebrae: int = 300
    patients: int = 160
    features: int = 1000
    models: tuple[str, ...] = MODELS
    outer_folds: int = 5
    inner_folds: int = 5
    repeats: int = 10


SMALL = Size(60, 32, 40, MODELS[:2], outer_folds=3, inner_folds=3, repeats=2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the features, validate, and print the time of each stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="seconds instead of minutes: no benchmark")
    parser.add_argument("--workers", type=int, default=2, help="parallel workers of one core each (2)")
    options = parser.parse_args(arguments)
    size = SMALL if options.small else Size()
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s", force=True)
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # counted in the table of the folds
        result = validate(size, options.workers)
    seconds = time.perf_counter() - started
    print(result.frame().query("metric == 'auc'").to_string(index=False))
    print(
        f"\n{size.vertebrae} vertebrae of {size.patients} patients, {size.features} features, "
        f"{len(size.models)} models, {size.outer_folds} x {size.repeats} outer and {size.inner_folds} inner "
        f"folds, {options.workers} workers: {seconds:.1f} s.\nThe seconds of preparation, tuning and "
        "refitting are summed over folds, whatever the workers."
    )


def validate(size: Size, workers: int) -> Result:
    """Return the validation of all models on features drawn at random."""
    folds = ValidationSpec(size.outer_folds, size.inner_folds, size.repeats, seed=1)
    models = [ModelSpec(name) for name in size.models]
    return cross_validate_many(_dataset(size), models, folds, n_jobs=workers)


def _dataset(size: Size) -> Dataset:
    """Return features of which some differ between the classes and all are alike within patients."""
    rng = np.random.default_rng(0)
    more = rng.integers(0, size.patients, size.vertebrae - size.patients)
    patient = np.concatenate([np.arange(size.patients), more])
    unit = pd.Index([f"V{row:03d}" for row in range(size.vertebrae)])
    subject = pd.Series([f"P{number:03d}" for number in patient], index=unit)
    own = rng.normal(size=(size.patients, size.features))[patient]
    X = own + rng.normal(size=own.shape)
    X[:, :DIFFERENT] += 0.8 * (patient % 2)[:, None]
    names = [f"original_glcm_F{number:04d}" for number in range(size.features)]
    return Dataset(
        X=pd.DataFrame(X, index=unit, columns=names),
        y=pd.Series(patient % 2, index=unit),
        groups=subject,
        covariates=pd.DataFrame(index=unit),
        audit=pd.DataFrame(),
        info=pd.DataFrame({"subject_id": subject}),
        outcome="diagnosis",
        positive="metastatic",
        negative="osteoporotic",
    )


if __name__ == "__main__":
    main()
