"""What a validated model looks at: coefficients, grouped permutation importance, and the features alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from sklearn import config_context
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from radiomics_vert import parallel
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.modeling.assessment import Study
from radiomics_vert.modeling.bootstrap import auc_of
from radiomics_vert.modeling.comparison import corrected_resampled_t
from radiomics_vert.modeling.folds import FoldTask, Plan
from radiomics_vert.modeling.models import GridPoint, ModelSpec
from radiomics_vert.modeling.refits import own_rows, refit_fold, validated_folds
from radiomics_vert.modeling.repeats import Repeats
from radiomics_vert.modeling.rows import predict_pipeline
from radiomics_vert.modeling.spec import ValidationSpec
from radiomics_vert.results import Result
from radiomics_vert.roc import clustered_auc_screen

FloatArray = NDArray[np.float64]

TOGETHER = 0.7
"""Absolute Spearman correlation in the training rows above which features are moved together."""
_SHOWN = 20
_INDICATOR = "missingindicator_"


@dataclass(frozen=True)
class Moves:
    """How features are moved.

    Parameters
    ----------
    n_permutations : int
        Shuffles of the test rows per group of features and fold.
    together : float
        Absolute Spearman correlation above which features are moved together.
    seed : int
        Seed of the shuffles.
    """

    n_permutations: int
    together: float
    seed: int


def explain(
    dataset: Dataset,
    model: ModelSpec | None,
    validation: ValidationSpec | None,
    result: Result,
    *,
    features: Sequence[str] | None = None,
    feature_set: str = "all features",
    with_covariates: bool = False,
    repeats: Repeats | None = None,
    n_permutations: int = 10,
    together: float = TOGETHER,
    seed: int = 0,
    confidence: float = 0.95,
    n_jobs: int = 1,
    progress: parallel.Progress | None = None,
) -> Result:
    """Say what a validated model looks at, over all vertebrae; for single ones see `shapley_values`.

    Parameters
    ----------
    dataset, model, validation, features, feature_set, with_covariates, repeats
        As they were given to :func:`~radiomics_vert.modeling.validation.cross_validate`.
    result : Result
        What it returned; other feature sets and models may be in it too. The hyper-parameters that the
        inner folds chose are read from it, so that each outer fold is fitted once and nothing tuned.
    n_permutations : int, default 10
        Shuffles per group of features and fold.
    together : float, default 0.7
        Features with a larger absolute Spearman correlation in the training rows, directly or through
        others, are moved together: moving one of them alone would show little, because the model finds
        the same in the others.
    seed : int, default 0
        Seed of the shuffles.
    confidence : float, default 0.95
        Level of the intervals.
    n_jobs : int, default 1
        Workers; results do not depend on it.
    progress : callable, optional
        Called with (done, total) after each outer fold.

    Returns
    -------
    Result
        Kind `explanation`. Tables:

        `coefficients` (main): `feature, frequency, mean_coefficient, sign_consistency` over the outer
        folds. `importance`: `feature, importance, ci_low, ci_high, frequency, moved_with, n_folds`:
        loss of AUC in the outer test folds when the feature and those correlated with it are shuffled
        between the test vertebrae, mean over folds (0 where the model does not use it); limits by
        :func:`~radiomics_vert.modeling.comparison.corrected_resampled_t`; `moved_with` names the
        features that moved with it in at least half of the folds that use it. `univariate`:
        `feature, auc, ci_low, ci_high, frequency, mean_coefficient, agreement`: each feature alone
        (clustered AUC on all rows, a description, no validation) beside its part in the model, for
        the selected features and the 20 strongest alone. An opposite direction means that the
        coefficient corrects another feature and must not be read as the feature's own effect.

    Raises
    ------
    AnalysisError
        RV503: the result does not hold this feature set and model, or comes from other folds.

    References
    ----------
    Breiman L (2001). Random forests. Machine Learning 45:5-32. doi:10.1023/A:1010933404324
    Nadeau C, Bengio Y (2003). Machine Learning 52:239-281. doi:10.1023/A:1024068626366
    """
    study = Study(dataset, model, validation, features, with_covariates, repeats)
    plan, tasks = study.design()
    name = plan.model.name
    own = {table: own_rows(result, table, feature_set, name) for table in ("folds", "selection")}
    items = validated_folds(plan, tasks, result, feature_set)
    moves = Moves(n_permutations, together, seed)
    found = parallel.run(partial(_fold_moves, plan, moves), items, n_jobs=n_jobs, progress=progress)
    test_share = float((own["folds"]["n_test"] / own["folds"]["n_train"]).mean())
    coefficients = own["selection"].drop(columns=["feature_set", "model"]).reset_index(drop=True)
    tables = {
        "coefficients": coefficients,
        "importance": _importance(found, test_share, confidence),
        "univariate": _univariate(plan, coefficients, confidence),
    }
    spec = study.spec(
        feature_set,
        n_permutations=n_permutations,
        together=together,
        seed=seed,
        confidence=confidence,
    )
    return Result("explanation", tables, spec, study.provenance())


def groups_of_features(X: FloatArray, together: float) -> NDArray[np.int_]:
    """Return a group number for each column; correlated columns share one.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Training rows; NaN is left out pair by pair.
    together : float
        Absolute Spearman correlation above which two columns are in one group.

    Returns
    -------
    ndarray of int, shape (p,)
        Connected components, so that a chain of correlated columns is one group.
    """
    correlation = pd.DataFrame(X).corr(method="spearman").to_numpy()
    linked = np.abs(np.nan_to_num(correlation, nan=0.0)) > together
    return np.asarray(connected_components(linked, directed=False)[1])


class _Moved(NamedTuple):
    """One group of features of one fold: their names, and the loss of AUC when they move."""

    features: tuple[str, ...]
    loss: float


def _fold_moves(plan: Plan, moves: Moves, item: tuple[FoldTask, GridPoint]) -> list[_Moved] | None:
    """Return the importance of every used group in one outer fold; None where it tests one class."""
    task, point = item
    y = plan.y[task.test]
    if y.min() == y.max():
        return None
    with threadpool_limits(limits=1), config_context(assume_finite=True):
        fitted = refit_fold(plan, task, point)
        used = _used_columns(fitted, plan.columns)
        base = auc_of(y, predict_pipeline(fitted, plan.X[task.test], plan.rows.take(task.test)))
        groups = groups_of_features(plan.X[np.ix_(task.train, used)], moves.together)
        moved = []
        for number in range(groups.max() + 1 if len(used) else 0):
            members = used[groups == number]
            rng = np.random.default_rng([moves.seed, task.repeat, task.fold, int(members[0])])
            loss = base - _shuffled_auc(plan, fitted, task, members, moves.n_permutations, rng)
            moved.append(_Moved(tuple(plan.columns[column] for column in members), loss))
    return moved


def _shuffled_auc(
    plan: Plan,
    fitted: Pipeline,
    task: FoldTask,
    members: NDArray[np.intp],
    n_permutations: int,
    rng: np.random.Generator,
) -> float:
    """Mean AUC over shuffles of the member columns between the test rows, all predicted at once."""
    many = np.tile(task.test, n_permutations)
    X = plan.X[many]
    orders = np.concatenate([rng.permutation(task.test) for _ in range(n_permutations)])
    X[:, members] = plan.X[np.ix_(orders, members)]
    probability = predict_pipeline(fitted, X, plan.rows.take(many))
    each = probability.reshape(n_permutations, len(task.test))
    return float(np.mean([auc_of(plan.y[task.test], one) for one in each]))


def _used_columns(fitted: Pipeline, columns: Sequence[str]) -> NDArray[np.intp]:
    """Positions of the columns with a part in the fitted model, ascending."""
    names = fitted[:-1].get_feature_names_out(columns) if len(fitted) > 1 else np.asarray(columns)
    weights = getattr(fitted[-1], "coef_", np.ones((1, len(names))))[0]
    used = {str(name).removeprefix(_INDICATOR) for name in names[weights != 0]}
    return np.flatnonzero([column in used for column in columns])


def _importance(found: Iterable[list[_Moved] | None], test_share: float, confidence: float) -> pd.DataFrame:
    folds = [fold for fold in found if fold is not None]
    losses: dict[str, list[float]] = {}
    mates: dict[str, Counter[str]] = {}
    for number, fold in enumerate(folds):
        for group in fold:
            for name in group.features:
                losses.setdefault(name, [0.0] * len(folds))[number] = group.loss
                mates.setdefault(name, Counter()).update(group.features)
    rows = []
    for name in sorted(losses):
        mean = corrected_resampled_t(losses[name], test_share, confidence)
        times = mates[name][name]
        others = sorted(other for other, n in mates[name].items() if other != name and 2 * n >= times)
        rows.append(
            {
                "feature": name,
                "importance": mean.estimate,
                "ci_low": mean.ci_low,
                "ci_high": mean.ci_high,
                "frequency": times / len(folds),
                "moved_with": "; ".join(others),
                "n_folds": len(folds),
            }
        )
    columns = ["feature", "importance", "ci_low", "ci_high", "frequency", "moved_with", "n_folds"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("importance", ascending=False, kind="stable").reset_index(drop=True)


def _univariate(plan: Plan, coefficients: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Each feature alone beside its part in the model; selected ones first, by frequency."""
    X = pd.DataFrame(plan.X, columns=list(plan.columns))
    alone = clustered_auc_screen(plan.y, X, plan.groups, confidence=confidence).set_index("feature")
    strength = (alone["estimate"] - 0.5).abs().sort_values(ascending=False, kind="stable")
    part = coefficients.set_index("feature")
    named = [name.removeprefix(_INDICATOR) for name in part.index]
    shown = list(dict.fromkeys([*named, *strength.index[:_SHOWN]]))
    table = alone.loc[shown, ["estimate", "ci_low", "ci_high"]].rename(columns={"estimate": "auc"})
    table["frequency"] = part["frequency"].reindex(shown).fillna(0.0)
    table["mean_coefficient"] = part["mean_coefficient"].reindex(shown)
    table["agreement"] = [
        _agreement(*row)
        for row in table[["auc", "frequency", "mean_coefficient"]].itertuples(index=False, name=None)
    ]
    return table.rename_axis("feature").reset_index()


def _agreement(auc: float, frequency: float, coefficient: float) -> str:
    if frequency == 0:
        return "never selected"
    if np.isnan(coefficient):
        return "no coefficient"
    if np.isnan(auc):
        return "not measurable alone"
    return "same direction" if (auc - 0.5) * coefficient >= 0 else "opposite direction"
