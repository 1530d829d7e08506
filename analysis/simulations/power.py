"""Whether `associate` and `cross_validate` find the true features and state how good they are.

Cohorts are drawn from the means and standard deviations of published studies, beside 100 features of
noise. Run `python -m analysis.simulations.power`; README.md says how to read the tables.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.simulations.cohorts import PUBLISHED, Quantity, simulate, write
from radiomics_vert.modeling import ModelSpec, ValidationSpec, cross_validate, fit_final, predict
from radiomics_vert.roc import clustered_auc
from radiomics_vert.statistics import associate

NOISE = 100
RUNS = 200
SETTINGS = tuple((patients, icc) for patients in (16, 32, 64) for icc in (0.3, 0.5))
"""Patients, and intraclass correlation."""
FDR = 0.05

# Two weak quantities only: with the five together every model is nearly perfect and nothing is learned.
WEAK: dict[str, Quantity] = {name: PUBLISHED[name] for name in ("fat_fraction_map", "lateral_angle")}
MODEL_RUNS = 25
MODEL_SETTINGS = ((40, 0.4), (80, 0.4))
MODEL = ModelSpec(grid={"k": (2, 5, 10), "l1_ratio": (0.5,), "C": (0.1, 1.0)})
VALIDATION = ValidationSpec(outer_folds=5, inner_folds=3, repeats=1, n_boot=10)
NEW_PATIENTS = 1500


def association_power(patients: int, icc: float, runs: Sequence[int]) -> pd.DataFrame:
    """Return how often each feature is selected, and how often its interval holds the true AUC.

    Parameters
    ----------
    patients, icc : int, float
        The cohort.
    runs : sequence of int
        Numbers of the runs: the seeds.

    Returns
    -------
    DataFrame
        `patients, icc, feature, truth, runs, estimate, coverage, selected, all_selected,
        false_discoveries`; one row per quantity, one for all noise features. `all_selected`: share of
        runs that select all five; `false_discoveries`: mean share of noise among the selected.
    """
    tables = [
        associate(simulate((1, patients, round(100 * icc), run), patients, icc, NOISE)).frame()
        for run in runs
    ]
    truth = np.array([*(quantity.auc for quantity in PUBLISHED.values()), *[0.5] * NOISE])
    low, high, estimate, p = (
        np.array([table[name] for table in tables])
        for name in ("ci_low", "ci_high", "estimate", "p_adjusted")
    )
    covered, selected = (low <= truth) & (truth <= high), p < FDR
    true = len(PUBLISHED)
    parts = [(name, [column]) for column, name in enumerate(PUBLISHED)]
    rows = [
        (
            name,
            truth[columns[0]],
            *(float(cells[:, columns].mean()) for cells in (estimate, covered, selected)),
        )
        for name, columns in [*parts, (f"{NOISE} noise features", list(range(true, true + NOISE)))]
    ]
    table = pd.DataFrame(rows, columns=["feature", "truth", "estimate", "coverage", "selected"])
    table.insert(0, "patients", patients)
    table.insert(1, "icc", icc)
    table.insert(4, "runs", len(runs))
    false = selected[:, true:].sum(axis=1) / np.maximum(1, selected.sum(axis=1))
    return table.assign(
        all_selected=float(selected[:, :true].all(axis=1).mean()), false_discoveries=float(false.mean())
    )


def model_power(patients: int, icc: float, runs: Sequence[int]) -> pd.DataFrame:
    """Return what cross-validation says about a model, and what the model does on new patients.

    Parameters
    ----------
    patients, icc : int, float
        The cohort; two weak quantities of the five carry the difference.
    runs : sequence of int
        Numbers of the runs: the seeds.

    Returns
    -------
    DataFrame, one row
        `patients, icc, runs, validated` (mean AUC in cross-validation), `new_patients` (mean AUC of the
        final model on new patients), `coverage` (share of runs whose interval holds the latter), and
        for each quantity the mean share of folds that selected it.
    """
    found = [_validated(patients, icc, run) for run in runs]
    table = pd.DataFrame(found).mean().to_frame().T
    table.insert(0, "patients", patients)
    table.insert(1, "icc", icc)
    table.insert(2, "runs", len(runs))
    return table


def _validated(patients: int, icc: float, run: int) -> dict[str, float]:
    dataset = simulate((2, patients, run), patients, icc, NOISE, quantities=WEAK)
    result = cross_validate(dataset, MODEL, VALIDATION)
    auc = result.frame().set_index("metric").loc["auc"]
    new = simulate((3, patients, run), NEW_PATIENTS, icc, NOISE, quantities=WEAK)
    probability = predict(fit_final(dataset, MODEL, VALIDATION), new).frame()["probability"]
    truth = clustered_auc(new.y, probability, new.groups).estimate
    frequency = result.frame("selection").set_index("feature")["frequency"].reindex(list(WEAK)).fillna(0.0)
    return {
        "validated": auc["estimate"],
        "new_patients": truth,
        "coverage": float(auc["ci_low"] <= truth <= auc["ci_high"]),
        **{f"selected_{name}": float(share) for name, share in frequency.items()},
    }


def main() -> None:
    """Run both studies and write their tables."""
    write(pd.concat([association_power(*one, range(RUNS)) for one in SETTINGS]), "power")
    write(pd.concat([model_power(*one, range(MODEL_RUNS)) for one in MODEL_SETTINGS]), "power_models")


if __name__ == "__main__":
    main()
