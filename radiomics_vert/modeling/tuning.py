"""What the inner folds decide: hyper-parameters and the decision threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import roc_curve
from sklearn.pipeline import Pipeline

from radiomics_vert.modeling.models import GridPoint, ModelSpec, pipeline_parameters
from radiomics_vert.modeling.rows import Rows
from radiomics_vert.modeling.sharing import Candidate, Ledger, TrainTest, fit_candidates
from radiomics_vert.modeling.splits import Split

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]
ThresholdRule = Literal["youden", "sensitivity"]
Scoring = Literal["log_loss", "auc"]


@dataclass(frozen=True)
class Choice:
    """The winning grid point and what it predicted in the inner folds.

    Parameters
    ----------
    point : dict
        Hyper-parameters.
    score : float
        Its score in the inner folds: mean log-likelihood or AUC, larger is better.
    probabilities : ndarray, shape (n,)
        Its out-of-fold predictions of the training rows, pooled over the inner folds.
    """

    point: GridPoint
    score: float
    probabilities: FloatArray


@dataclass(frozen=True)
class Contender:
    """A model and its grid, in a list of models that are tuned on the same folds.

    Parameters
    ----------
    spec : ModelSpec
        Translates the points.
    pipeline : Pipeline
        Unfitted; it is cloned.
    points : sequence of dict
        The grid.
    """

    spec: ModelSpec
    pipeline: Pipeline
    points: Sequence[GridPoint]

    def candidates(self, number: int, points: Sequence[GridPoint]) -> list[Candidate]:
        """Return one candidate per point, for the contender with this number in the list."""
        parameters = [pipeline_parameters(self.spec, point) for point in points]
        return [Candidate.of(number, place, self.pipeline, own) for place, own in enumerate(parameters)]


def choose_points(
    contenders: Sequence[Contender],
    X: FloatArray,
    y: IntArray,
    splits: Sequence[Split],
    scoring: Scoring = "log_loss",
    rows: Rows | None = None,
    ledger: Ledger | None = None,
) -> list[Choice]:
    """Choose the hyper-parameters of each model by their out-of-fold predictions in the inner folds.

    What models prepare alike is prepared once per inner fold. Of equally good points of a model the
    first, simplest one wins.

    Parameters
    ----------
    contenders : sequence of Contender
        The models.
    X : ndarray, shape (n, p)
        Training rows of the outer fold.
    y : ndarray of int, shape (n,)
        Their outcome.
    splits : sequence of (train, test)
        Inner folds; every row in one test part.
    scoring : {"log_loss", "auc"}, default "log_loss"
        What counts as good, see :func:`point_scores`.
    rows : Rows, optional
        Facts about the rows, for steps that ask for them.
    ledger : Ledger, optional
        Where time and failed convergence are noted.

    Returns
    -------
    list of Choice
        One per contender.
    """
    probabilities = [np.full((len(one.points), len(y)), np.nan) for one in contenders]
    candidates = [c for number, one in enumerate(contenders) for c in one.candidates(number, one.points)]
    for train, test in splits:
        parts = TrainTest.of(X, y, rows, train, test)
        for candidate, _, predicted in fit_candidates(candidates, parts, ledger or Ledger()):
            probabilities[candidate.model][candidate.point, test] = predicted
    return [
        _best(one.points, predicted, y, splits, scoring)
        for one, predicted in zip(contenders, probabilities, strict=True)
    ]


def _best(
    points: Sequence[GridPoint],
    probabilities: FloatArray,
    y: IntArray,
    splits: Sequence[Split],
    scoring: Scoring,
) -> Choice:
    scores = point_scores(probabilities, y, splits, scoring)
    best = int(np.argmax(np.round(scores, 12)))
    return Choice(points[best], float(scores[best]), probabilities[best])


def point_scores(
    probabilities: FloatArray, y: IntArray, splits: Sequence[Split], scoring: Scoring
) -> FloatArray:
    """Score the out-of-fold predictions of every grid point; larger is better.

    Parameters
    ----------
    probabilities : ndarray, shape (points, n)
        Out-of-fold predictions.
    y : ndarray of int, shape (n,)
        Outcome.
    splits : sequence of (train, test)
        Which rows were predicted together.
    scoring : {"log_loss", "auc"}
        `log_loss`: mean log-likelihood (minus the log loss), which rewards calibrated probabilities.
        `auc`: share of concordant pairs of a positive and a negative vertebra of the same fold, all
        folds together; pairs across folds are left out, because the prevalence of the training rows
        shifts the predictions of a whole fold.

    Returns
    -------
    ndarray, shape (points,)
    """
    if scoring == "log_loss":
        safe = np.clip(probabilities, 1e-9, 1 - 1e-9)
        return np.asarray(np.where(y == 1, np.log(safe), np.log1p(-safe)).mean(axis=1))
    wins, pairs = np.zeros(len(probabilities)), 0
    for _, test in splits:
        positive = y[test] == 1
        wins += _concordant_pairs(probabilities[:, test], positive)
        pairs += int(positive.sum()) * int((~positive).sum())
    return wins / pairs


def choose_threshold(
    y: IntArray, probabilities: FloatArray, rule: ThresholdRule, target_sensitivity: float
) -> float:
    """Choose the probability from which a vertebra is called positive.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Outcome, both classes.
    probabilities : ndarray, shape (n,)
        Out-of-fold predictions of the inner folds.
    rule : {"youden", "sensitivity"}
        Largest sensitivity + specificity - 1 (the highest such threshold), or the highest threshold
        with at least the target sensitivity.
    target_sensitivity : float
        For the rule `sensitivity`.

    Returns
    -------
    float
        One of the probabilities; a vertebra with this probability or more is positive.

    Examples
    --------
    >>> choose_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.3, 0.9]), "sensitivity", 1.0)
    0.3
    """
    fpr, tpr, thresholds = roc_curve(y, probabilities, drop_intermediate=False)
    # The first entry is infinity: nothing is positive.
    fpr, tpr, thresholds = fpr[1:], tpr[1:], thresholds[1:]
    if rule == "sensitivity":
        return float(thresholds[np.argmax(tpr >= target_sensitivity)])
    return float(thresholds[np.argmax(np.round(tpr - fpr, 12))])


def _concordant_pairs(probabilities: FloatArray, positive: NDArray[np.bool_]) -> FloatArray:
    """Return, per row of predictions, the concordant pairs; ties count one half."""
    n_positive = int(positive.sum())
    ranks = rankdata(probabilities, axis=1)[:, positive]
    return np.asarray(ranks.sum(axis=1) - n_positive * (n_positive + 1) / 2)
