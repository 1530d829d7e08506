"""Measure the association screen against a loop over features, side by side in one run.

Run this file, or with `--help`. What is measured is explained in README.md beside it.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.stats import mannwhitneyu
from threadpoolctl import threadpool_limits

from radiomics_vert.dataset import Dataset
from radiomics_vert.roc import clustered_auc, clustered_auc_screen
from radiomics_vert.statistics import associate

VERTEBRAE, FEATURES, PATIENTS = 500, 2000, 230


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the features, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=FEATURES, help="features of the screen (2000)")
    parser.add_argument("--sample", type=int, default=40, help="features that the slow loops are run on (40)")
    options = parser.parse_args(arguments)
    dataset = _dataset(options.features)
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # separation warnings of statsmodels are not what is measured
        print(_table(_measure(dataset, options.sample)))
    print(
        f"\n{VERTEBRAE} vertebrae of {PATIENTS} patients, one core. Seconds: median of three runs; "
        "a loop over fewer features\nis scaled to all of them. Ratio: seconds over those of the screen."
    )


def _dataset(features: int) -> Dataset:
    rng = np.random.default_rng(0)
    patient = np.concatenate([np.arange(PATIENTS), rng.integers(0, PATIENTS, VERTEBRAE - PATIENTS)])
    unit = pd.Index([f"V{row:03d}" for row in range(VERTEBRAE)])
    subject = pd.Series([f"P{number:03d}" for number in patient], index=unit)
    own = rng.normal(size=(PATIENTS, features))[patient]
    X = pd.DataFrame(own + rng.normal(size=own.shape), index=unit)
    return Dataset(
        X=X.rename(columns=lambda number: f"original_glcm_F{number:04d}"),
        y=pd.Series(patient % 2, index=unit),
        groups=subject,
        covariates=pd.DataFrame(index=unit),
        audit=pd.DataFrame(),
        info=pd.DataFrame({"subject_id": subject}),
        outcome="diagnosis",
        positive="metastatic",
        negative="osteoporotic",
    )


def _measure(dataset: Dataset, sample: int) -> list[dict[str, Any]]:
    y, X, groups = dataset.y.to_numpy(), dataset.X.to_numpy(), dataset.groups.to_numpy()
    codes = np.unique(groups, return_inverse=True)[1]
    every = X.shape[1]

    def gee(column: np.ndarray) -> None:
        design = sm.add_constant((column - column.mean()) / column.std())
        sm.GEE(
            y, design, groups=codes, family=sm.families.Binomial(), cov_struct=sm.cov_struct.Exchangeable()
        ).fit()

    loops: list[tuple[str, int, Callable[[np.ndarray], object]]] = [
        ("loop: clustered_auc of this package", min(200, every), lambda x: clustered_auc(y, x, groups)),
        (
            "loop: scipy mannwhitneyu, not clustered",
            min(200, every),
            lambda x: mannwhitneyu(x[y == 1], x[y == 0]),
        ),
        ("loop: statsmodels GEE, exchangeable", min(sample, every), gee),
    ]
    screen = _seconds(lambda: clustered_auc_screen(dataset.y, dataset.X, dataset.groups))
    rows = [
        _row("clustered_auc_screen: AUC, interval, p", every, every, screen, screen),
        _row(
            "associate: all columns of its table", every, every, _seconds(lambda: associate(dataset)), screen
        ),
    ]
    for name, count, one in loops:
        seconds = _seconds(lambda one=one, count=count: [one(X[:, column]) for column in range(count)])
        rows.append(_row(name, count, every, seconds * every / count, screen))
    return rows


def _seconds(function: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _row(what: str, measured: int, features: int, seconds: float, screen: float) -> dict[str, Any]:
    return {
        "what": what,
        "measured": f"{measured} of {features}",
        "seconds": f"{seconds:.2f}",
        "ratio": f"{seconds / screen:.1f}",
    }


def _table(rows: list[dict[str, Any]]) -> str:
    return pd.DataFrame(rows).to_string(index=False)


if __name__ == "__main__":
    main()
