"""What two common leaks do to the AUC on pure noise, and that this package does not have them.

The leaky analyses are written out here, because the package offers no call that does them. Run
`python -m analysis.simulations.leakage`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from analysis.simulations.cohorts import simulate, write
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.modeling import (
    ModelSpec,
    UnivariateSelector,
    ValidationSpec,
    build_pipeline,
    cross_validate,
)
from radiomics_vert.modeling.splits import Split

RUNS = 20
FEATURES = 20
"""How many features the selection keeps."""
MODEL = ModelSpec(grid={"k": (FEATURES,), "l1_ratio": (0.1,), "C": (0.5,)})
VALIDATION = ValidationSpec(repeats=1, inner_folds=2, n_boot=10)


def vertebra_split(run: int) -> tuple[float, float, float]:
    """Return the AUC of a split by vertebra, of one by patient, and whether the latter's interval holds 0.5.

    Parameters
    ----------
    run : int
        Seed. 40 patients with four vertebrae each (intraclass correlation 0.6), 200 features of noise.
    """
    dataset = simulate((6, run), 40, 0.6, 200, quantities={}, per_patient=(4, 4))
    splits = StratifiedKFold(5, shuffle=True, random_state=run).split(dataset.X, dataset.y)
    return _pooled_auc(dataset, dataset.X.to_numpy(), list(splits)), *_honest(dataset)


def selection_first(run: int) -> tuple[float, float, float]:
    """Return the AUC with selection before the folds, inside them, and whether the interval holds 0.5.

    Parameters
    ----------
    run : int
        Seed. 120 patients with one vertebra each, 1000 features of noise.
    """
    dataset = simulate((7, run), 120, 0.0, 1000, quantities={}, per_patient=(1, 1))
    chosen = UnivariateSelector(k=FEATURES).fit(dataset.X.to_numpy(), dataset.y.to_numpy()).get_support()
    splits = StratifiedKFold(5, shuffle=True, random_state=run).split(dataset.X, dataset.y)
    leaky = _pooled_auc(dataset, dataset.X.to_numpy()[:, chosen], list(splits))
    return leaky, *_honest(dataset)


def table(runs: Sequence[int]) -> pd.DataFrame:
    """Return both leaks side by side with the honest analysis of the same data.

    Parameters
    ----------
    runs : sequence of int
        Seeds.

    Returns
    -------
    DataFrame
        `leak, runs, leaky_auc, honest_auc, honest_covers` (share of runs whose interval holds 0.5).
    """
    rows = []
    for leak, study in (
        ("split by vertebra", vertebra_split),
        ("selection before the folds", selection_first),
    ):
        leaky, honest, covers = np.mean([study(run) for run in runs], axis=0)
        rows.append((leak, len(runs), leaky, honest, covers))
    return pd.DataFrame(rows, columns=["leak", "runs", "leaky_auc", "honest_auc", "honest_covers"])


def _pooled_auc(dataset: Dataset, X: NDArray[np.float64], splits: Sequence[Split]) -> float:
    pipeline = build_pipeline(MODEL).set_params(select__k=FEATURES, model__l1_ratio=0.1, model__C=0.5)
    y, probability = dataset.y.to_numpy(), np.empty(len(dataset))
    for train, test in splits:
        probability[test] = clone(pipeline).fit(X[train], y[train]).predict_proba(X[test])[:, 1]
    return float(roc_auc_score(y, probability))


def _honest(dataset: Dataset) -> tuple[float, float]:
    auc = cross_validate(dataset, MODEL, VALIDATION).frame().set_index("metric").loc["auc"]
    return float(auc["estimate"]), float(auc["ci_low"] <= 0.5 <= auc["ci_high"])


def main() -> None:
    """Run the study and write its table."""
    write(table(range(RUNS)), "leakage")


if __name__ == "__main__":
    main()
