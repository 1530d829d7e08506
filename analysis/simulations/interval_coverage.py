"""Whether intervals hold the truth and chance stays at its rate, with several vertebrae per patient.

Beside each clustered method stands the one that takes vertebrae for patients. Run
`python -m analysis.simulations.interval_coverage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import mannwhitneyu

from analysis.simulations.cohorts import Quantity, simulate, write
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.roc import clustered_auc_screen
from radiomics_vert.statistics import associate

PATIENTS, ICC = 60, 0.4
COHORTS = 500
FEATURES = 6
TRUTHS = (0.5, 0.75, 0.85, 0.95)
COLUMNS = ("quantity", "truth", "cohorts", "method", "share", "expected")
SMALL = (8, 12, 16, 20, 30)


def auc_coverage(cohorts: Iterable[int]) -> pd.DataFrame:
    """Return the share of 95 % intervals that hold the true AUC.

    Parameters
    ----------
    cohorts : iterable of int
        Numbers of the cohorts: the seeds.

    Returns
    -------
    DataFrame
        `quantity, truth, cohorts, method, share, expected`; method `clustered` or `unclustered`
        (DeLong, as if every vertebra were a patient).
    """
    drawn = [simulate((4, number), PATIENTS, ICC, 0, quantities=_shifted()) for number in cohorts]
    truth = np.repeat(TRUTHS, FEATURES)
    rows = []
    for method in ("clustered", "unclustered"):
        hits = np.array([_covered(dataset, truth, method) for dataset in drawn]).mean(axis=0)
        shares = hits.reshape(len(TRUTHS), FEATURES).mean(axis=1)
        rows += [
            ("interval of the AUC", value, len(drawn), method, share, 0.95)
            for value, share in zip(TRUTHS, shares, strict=True)
        ]
    return _table(rows)


def type_one_error(cohorts: Iterable[int]) -> pd.DataFrame:
    """Return the share of p values below 0.05 without any difference, and the coverage of Hedges g.

    Parameters
    ----------
    cohorts : iterable of int
        Numbers of the cohorts: the seeds.

    Returns
    -------
    DataFrame
        As :func:`auc_coverage`; the unclustered test is that of Mann and Whitney.
    """
    noise = [simulate((5, number), PATIENTS, ICC, FEATURES, quantities={}) for number in cohorts]
    tables = [associate(dataset).frame() for dataset in noise]
    rejected = np.mean([table["p_value"] < 0.05 for table in tables])
    held = np.mean([(table["hedges_g_low"] <= 0) & (table["hedges_g_high"] >= 0) for table in tables])
    naive = np.mean([_mann_whitney(dataset) < 0.05 for dataset in noise])
    count = len(noise)
    return _table(
        [
            ("p value of associate", 0.5, count, "clustered", rejected, 0.05),
            ("p value of associate", 0.5, count, "unclustered", naive, 0.05),
            ("interval of Hedges g", 0.0, count, "clustered", held, 0.95),
        ]
    )


def small_cohorts(cohorts: Iterable[int]) -> pd.DataFrame:
    """Return what becomes of the clustered interval and p value with few patients per class.

    Parameters
    ----------
    cohorts : iterable of int
        Numbers of the cohorts: the seeds.

    Returns
    -------
    DataFrame
        `patients_per_class` and the columns of :func:`auc_coverage`; truth 0.5 for the p value.
    """
    numbers = list(cohorts)
    rows = []
    for size in SMALL:
        drawn = [simulate((6, size, number), 2 * size, ICC, 0, quantities=_shifted()) for number in numbers]
        truth = np.repeat(TRUTHS, FEATURES)
        held = np.array([_covered(dataset, truth, "clustered") for dataset in drawn]).mean(axis=0)
        shares = held.reshape(len(TRUTHS), FEATURES).mean(axis=1)
        rows += [
            (size, "interval of the AUC", value, len(drawn), "clustered", share, 0.95)
            for value, share in zip(TRUTHS, shares, strict=True)
        ]
        noise = [simulate((7, size, number), 2 * size, ICC, FEATURES, quantities={}) for number in numbers]
        rejected = np.mean([_p_values(dataset) < 0.05 for dataset in noise])
        rows.append((size, "p value of the AUC", 0.5, len(noise), "clustered", rejected, 0.05))
    return pd.DataFrame(rows, columns=["patients_per_class", *COLUMNS])


def _p_values(dataset: Dataset) -> np.ndarray:
    return np.asarray(clustered_auc_screen(dataset.y, dataset.X, dataset.groups)["p_value"])


def _shifted() -> dict[str, Quantity]:
    return {
        f"{truth}_{copy}": Quantity((float(np.sqrt(2) * ndtri(truth)), 1.0), (0.0, 1.0))
        for truth in TRUTHS
        for copy in range(FEATURES)
    }


def _covered(dataset: Dataset, truth: np.ndarray, method: str) -> np.ndarray:
    groups = dataset.groups if method == "clustered" else dataset.X.index
    table = clustered_auc_screen(dataset.y, dataset.X, groups)
    return ((table["ci_low"] <= truth) & (truth <= table["ci_high"])).to_numpy()


def _mann_whitney(dataset: Dataset) -> np.ndarray:
    return np.asarray(mannwhitneyu(dataset.X[dataset.y == 1], dataset.X[dataset.y == 0]).pvalue)


def _table(rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS))


def main() -> None:
    """Run the studies and write their tables."""
    write(pd.concat([auc_coverage(range(COHORTS)), type_one_error(range(COHORTS))]), "interval_coverage")
    write(small_cohorts(range(COHORTS)), "small_cohorts")


if __name__ == "__main__":
    main()
