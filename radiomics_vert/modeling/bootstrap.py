"""How optimistic the apparent performance is, and how unstable single predictions are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiomics_vert import parallel
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.modeling.assessment import Study, with_retries
from radiomics_vert.modeling.folds import FoldTask, Plan, run_fold
from radiomics_vert.modeling.metrics import calibration_fit
from radiomics_vert.modeling.models import ModelSpec
from radiomics_vert.modeling.repeats import Repeats
from radiomics_vert.modeling.spec import ValidationSpec
from radiomics_vert.modeling.splits import IndexArray
from radiomics_vert.results import Result
from radiomics_vert.roc import check_labels, patient_draws

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]
Metric = Callable[[IntArray, FloatArray], float]

_OUT_OF_BAG_SHARE = 0.632


def auc_of(y: IntArray, probability: FloatArray) -> float:
    """Return the AUC, ties one half; NaN where a class is missing."""
    wins = np.subtract.outer(probability[y == 1], probability[y == 0])
    return float(np.mean((wins > 0) + 0.5 * (wins == 0))) if wins.size else float("nan")


def brier_of(y: IntArray, probability: FloatArray) -> float:
    """Return the mean squared distance between prediction and outcome."""
    return float(np.mean((probability - y) ** 2))


def slope_of(y: IntArray, probability: FloatArray) -> float:
    """Return the calibration slope; NaN where it does not exist."""
    return calibration_fit(y, probability, np.ones(len(y)))[1]


METRICS: Mapping[str, Metric] = {"auc": auc_of, "brier": brier_of, "calibration_slope": slope_of}


@dataclass(frozen=True)
class Refit:
    """A model refitted on a bootstrap sample.

    Parameters
    ----------
    rows : ndarray of int
        Row positions of the sample, with repetition.
    probability : ndarray, shape (n,)
        Its predictions of all original rows.
    """

    rows: IndexArray
    probability: FloatArray


def optimism(
    dataset: Dataset,
    model: ModelSpec | None = None,
    validation: ValidationSpec | None = None,
    *,
    n_boot: int = 200,
    seed: int = 0,
    features: Sequence[str] | None = None,
    feature_set: str = "all features",
    with_covariates: bool = False,
    repeats: Repeats | None = None,
    n_jobs: int = 1,
    progress: parallel.Progress | None = None,
) -> Result:
    """Estimate the optimism of the model fitted on all rows, by drawing patients.

    Patients are drawn with replacement, with all their vertebrae, separately among those with positive
    vertebrae only, negative only, and both. In each sample the whole pipeline is refitted, tuning by
    inner folds included; copies of a patient stay in one inner fold. A sample with too few patients per
    class for the inner folds is drawn again.

    Parameters
    ----------
    dataset, model, validation, features, feature_set, with_covariates, repeats
        As in :func:`~radiomics_vert.modeling.validation.cross_validate`; of the validation the inner
        folds, the scoring and its seed are used.
    n_boot : int, default 200
        Number of samples. Fewer than 100 are for a first look only.
    seed : int, default 0
        Seed of the draws.
    n_jobs : int, default 1
        Workers; results do not depend on it.
    progress : callable, optional
        Called with (done, total) after each sample.

    Returns
    -------
    Result
        Kind `optimism`. Tables:

        `optimism` (main): `metric` (auc, brier, calibration_slope), `apparent` (all rows, on which the
        model was fitted), `optimism` (mean over samples of performance in the sample minus performance
        in the original rows), `corrected` (apparent minus optimism), `standard_error` (of the
        optimism, from the number of samples), `out_of_bag` (patients not drawn), `no_information`, `weight`
        and `estimate_632_plus` (see :func:`plus_632`), `n_boot` (samples in which the metric is defined),
        `note`. `instability`: `unit, subject_id, y, original, low, median, high, mape`: the
        prediction of the model fitted on all rows, the 2.5, 50 and 97.5 % of the predictions of the
        refitted models, and their mean absolute distance from the original one. `summary`: `quantity,
        value`, with the mean of `mape` over vertebrae.

    Raises
    ------
    AnalysisError
        As :func:`~radiomics_vert.modeling.validation.cross_validate`.

    References
    ----------
    Harrell FE, Lee KL, Mark DB (1996). Multivariable prognostic models. Statistics in Medicine
    15:361-387. doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4
    Efron B, Tibshirani R (1997). Improvements on cross-validation: the .632+ bootstrap method. Journal
    of the American Statistical Association 92:548-560. doi:10.2307/2965703
    Riley RD, Collins GS (2023). Stability of clinical prediction models developed using statistical or
    machine learning methods. Biometrical Journal 65:2200302. doi:10.1002/bimj.202200302
    """
    study = Study(dataset, model, validation, features, with_covariates, repeats)
    plan, _ = study.design()
    everything = np.arange(len(plan.y))
    original = run_fold(plan, FoldTask(0, 0, everything, everything)).probability
    refits = parallel.run(partial(_refit, plan, seed), range(1, n_boot + 1), n_jobs=n_jobs, progress=progress)
    named = pd.DataFrame({"unit": plan.units, "subject_id": plan.groups, "y": plan.y})
    instability = pd.concat([named, instability_table(original, refits)], axis=1)
    summary = {"mape": instability["mape"].mean(), "n_boot": float(n_boot)}
    tables = {
        "optimism": optimism_table(plan.y, original, refits),
        "instability": instability,
        "summary": pd.DataFrame({"quantity": list(summary), "value": list(summary.values())}),
    }
    spec = study.spec(feature_set, n_boot=n_boot, seed=seed, resampled="patients")
    return Result("optimism", tables, spec, study.provenance())


def optimism_table(y: IntArray, original: FloatArray, refits: Sequence[Refit]) -> pd.DataFrame:
    """Return apparent and corrected performance.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Outcome.
    original : ndarray, shape (n,)
        Predictions of the model fitted on all rows.
    refits : sequence of Refit
        The models fitted on bootstrap samples.

    Returns
    -------
    DataFrame
        As in :func:`optimism`.
    """
    rows = []
    for name, metric in METRICS.items():
        gaps = np.array(
            [metric(y[one.rows], one.probability[one.rows]) - metric(y, one.probability) for one in refits]
        )
        gaps = gaps[~np.isnan(gaps)]
        apparent = metric(y, original)
        mean = float(gaps.mean()) if len(gaps) else float("nan")
        error = float(gaps.std(ddof=1) / np.sqrt(len(gaps))) if len(gaps) > 1 else float("nan")
        note = "" if len(gaps) == len(refits) else f"not defined in {len(refits) - len(gaps)} samples"
        rows.append(
            {
                "metric": name,
                "apparent": apparent,
                "optimism": mean,
                "corrected": apparent - mean,
                "standard_error": error,
                **_plus_632_of(name, y, original, refits),
                "n_boot": len(gaps),
                "note": note,
            }
        )
    return pd.DataFrame(rows)


def plus_632(apparent: float, out_of_bag: float, no_information: float) -> tuple[float, float]:
    """Return the .632+ estimate of an error and the weight of the out-of-bag error in it.

    Parameters
    ----------
    apparent : float
        Error in the rows that the model was fitted on.
    out_of_bag : float
        Error in rows that were not drawn.
    no_information : float
        Error if predictions and outcomes were unrelated.

    Returns
    -------
    estimate : float
        (1 - w) apparent + w out_of_bag, the latter at most `no_information`.
    weight : float
        w = 0.632 / (1 - 0.368 R), with R the relative overfitting, between 0 and 1.

    References
    ----------
    Efron B, Tibshirani R (1997). doi:10.2307/2965703

    Examples
    --------
    >>> estimate, weight = plus_632(0.0, 0.5, 0.5)  # a memory without knowledge
    >>> round(estimate, 3), round(weight, 3)
    (0.5, 1.0)
    """
    bounded = min(out_of_bag, no_information)
    overfitting = (bounded - apparent) / (no_information - apparent) if bounded > apparent else 0.0
    weight = _OUT_OF_BAG_SHARE / (1 - (1 - _OUT_OF_BAG_SHARE) * overfitting)
    return (1 - weight) * apparent + weight * bounded, weight


def instability_table(original: FloatArray, refits: Sequence[Refit]) -> pd.DataFrame:
    """Return how the prediction of each row varies between refitted models.

    Parameters
    ----------
    original : ndarray, shape (n,)
        Predictions of the model fitted on all rows.
    refits : sequence of Refit
        The models fitted on bootstrap samples.

    Returns
    -------
    DataFrame
        `original, low, median, high, mape`.
    """
    drawn = np.stack([one.probability for one in refits])
    low, median, high = np.quantile(drawn, [0.025, 0.5, 0.975], axis=0)
    mape = np.abs(drawn - original).mean(axis=0)
    return pd.DataFrame({"original": original, "low": low, "median": median, "high": high, "mape": mape})


def _refit(plan: Plan, seed: int, number: int) -> Refit:
    def attempt(rng: np.random.Generator) -> Refit:
        rows = draw_patients(plan.y, plan.groups, rng)
        everything = np.arange(len(plan.y))
        return Refit(rows, run_fold(plan, FoldTask(0, number, rows, everything)).probability)

    return with_retries(attempt, (seed, number))


def draw_patients(y: IntArray, groups: NDArray[np.object_], rng: np.random.Generator) -> IndexArray:
    """Return the row positions of patients drawn with replacement, within the three kinds of patient.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Outcome.
    groups : ndarray of str, shape (n,)
        The patient.
    rng : Generator
        Source of the randomness.
    """
    positive, patients = check_labels(y, groups, len(y))
    times = patient_draws(positive, patients, 1, rng)[0]
    return np.repeat(np.arange(len(y)), times[patients].astype(int))


def _plus_632_of(name: str, y: IntArray, original: FloatArray, refits: Sequence[Refit]) -> dict[str, float]:
    """Return the .632+ columns; the calibration slope is no error that could be averaged over rows."""
    found = {"out_of_bag": np.nan, "no_information": np.nan, "weight": np.nan, "estimate_632_plus": np.nan}
    if name == "calibration_slope":
        return found
    out = [np.setdiff1d(np.arange(len(y)), one.rows) for one in refits]
    if name == "auc":
        each = [auc_of(y[rows], one.probability[rows]) for one, rows in zip(refits, out, strict=True)]
        defined = [value for value in each if not np.isnan(value)]
        bag = float(np.mean(defined)) if defined else float("nan")
        error, weight = plus_632(1 - auc_of(y, original), 1 - bag, 0.5)
        return {"out_of_bag": bag, "no_information": 0.5, "weight": weight, "estimate_632_plus": 1 - error}
    bag = _row_wise_out_of_bag(y, refits, out)
    # Every outcome against every prediction.
    unrelated = float(np.mean((y[:, None] - original[None, :]) ** 2))
    error, weight = plus_632(brier_of(y, original), bag, unrelated)
    return {"out_of_bag": bag, "no_information": unrelated, "weight": weight, "estimate_632_plus": error}


def _row_wise_out_of_bag(y: IntArray, refits: Sequence[Refit], out: Sequence[IndexArray]) -> float:
    """Mean over rows of the mean loss of the models whose sample left the row's patient out."""
    loss, count = np.zeros(len(y)), np.zeros(len(y))
    for one, rows in zip(refits, out, strict=True):
        loss[rows] += (one.probability[rows] - y[rows]) ** 2
        count[rows] += 1
    return float(np.mean(loss[count > 0] / count[count > 0]))
