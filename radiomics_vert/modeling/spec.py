"""How a model is validated."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from radiomics_vert.errors import Problem, SettingsError, raise_all
from radiomics_vert.modeling.metrics import PatientRule
from radiomics_vert.modeling.tuning import Scoring, ThresholdRule

Scheme = Literal["repeated_kfold", "leave_one_site_out"]


@dataclass(frozen=True)
class ValidationSpec:
    """Nested cross-validation, grouped by patient and stratified by class.

    Parameters
    ----------
    outer_folds : int, default 5
        Folds that measure.
    inner_folds : int, default 5
        Folds within each outer training part that choose everything.
    repeats : int, default 10
        Repetitions with other shuffles of the patients.
    seed : int, default 0
        Root of all shuffles.
    confidence : float, default 0.95
        Level of the intervals.
    scoring : {"log_loss", "auc"}, default "log_loss"
        By what the inner folds choose hyper-parameters. The log loss cares for order and for
        calibration of the probabilities, the AUC for their order only.
    threshold : {"youden", "sensitivity"}, default "youden"
        How the inner folds choose the decision threshold.
    target_sensitivity : float, default 0.9
        For the rule `sensitivity`.
    patient_rule : {"max", "mean"}, default "max"
        How the probabilities of a patient's vertebrae become one, stated before seeing results.
    n_boot : int, default 500
        Draws of patients for the ROC band.
    scheme : {"repeated_kfold", "leave_one_site_out"}, default "repeated_kfold"
        What the outer folds are. `leave_one_site_out`: each site is one fold, `outer_folds` has no
        meaning, and only the inner folds, which go by patient in either case, differ between repeats.

    Raises
    ------
    SettingsError
        RV602, with every wrong setting.
    """

    outer_folds: int = 5
    inner_folds: int = 5
    repeats: int = 10
    seed: int = 0
    confidence: float = 0.95
    scoring: Scoring = "log_loss"
    threshold: ThresholdRule = "youden"
    target_sensitivity: float = 0.9
    patient_rule: PatientRule = "max"
    n_boot: int = 500
    scheme: Scheme = "repeated_kfold"

    def __post_init__(self) -> None:
        wrong = [
            self._problem(name, f"a whole number of at least {least}")
            for name, least in (
                ("outer_folds", 2),
                ("inner_folds", 2),
                ("repeats", 1),
                ("seed", 0),
                ("n_boot", 1),
            )
            if not (isinstance(getattr(self, name), int) and getattr(self, name) >= least)
        ]
        wrong += [
            self._problem(name, "a number between 0 and 1")
            for name in ("confidence", "target_sensitivity")
            if not 0 < getattr(self, name) < 1
        ]
        wrong += [
            self._problem(name, f"one of: {', '.join(allowed)}")
            for name, allowed in (
                ("scoring", ("log_loss", "auc")),
                ("threshold", ("youden", "sensitivity")),
                ("patient_rule", ("max", "mean")),
                ("scheme", ("repeated_kfold", "leave_one_site_out")),
            )
            if getattr(self, name) not in allowed
        ]
        raise_all(SettingsError, wrong)

    def _problem(self, name: str, expected: str) -> Problem:
        found = repr(getattr(self, name))
        return Problem("RV602", expected, found, f"validation, {name}", "correct the setting")

    @property
    def patient_folds(self) -> int | None:
        """Outer folds that each need a patient of each class; None where the folds are sites."""
        return None if self.scheme == "leave_one_site_out" else self.outer_folds

    def as_dict(self) -> dict[str, Any]:
        """Return the specification as plain values, ready for JSON."""
        return asdict(self)

    def threshold_text(self) -> str:
        """Say in words how the decision threshold is chosen."""
        if self.threshold == "youden":
            return "threshold: largest Youden index in the inner folds"
        return f"threshold: sensitivity of at least {self.target_sensitivity:g} in the inner folds"
