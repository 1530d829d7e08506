"""The model stage of a study: validate, compare, probe, explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from radiomics_vert.dataset import Dataset, parse_feature
from radiomics_vert.dataset.naming import SIGN
from radiomics_vert.modeling import (
    FeatureSet,
    ModelSpec,
    Repeats,
    ValidationSpec,
    at_prevalence,
    combine,
    compare,
    cross_validate_many,
    explain,
    feature_sets,
    leakage_probe,
    negative_control,
    optimism,
    permutation_test,
    shapley_values,
    subgroups,
    validate_baselines,
)
from radiomics_vert.results import Result
from radiomics_vert.study.analysis import Watch, unwatched

TEXTURE, FEATURES = "texture", "features"


@dataclass(frozen=True)
class Assessment:
    """What is asked of the models beside their validation; 0 and False leave a part out.

    Parameters
    ----------
    baselines, explanation, shapley : bool
        Simple rules that a model must beat; what the first model looks at, over all vertebrae and in
        each single one.
    probes, optimism_samples, permutations : int
        Runs of the leakage probe, bootstrap samples, permutations.
    subgroups : tuple of str
        Variables.
    prevalence : tuple of float
        Shares of positive vertebrae at which predictive values are given.
    """

    baselines: bool = True
    explanation: bool = True
    shapley: bool = False
    probes: int = 3
    optimism_samples: int = 0
    permutations: int = 0
    subgroups: tuple[str, ...] = ()
    prevalence: tuple[float, ...] = ()


@dataclass(frozen=True)
class ModelStage:
    """The models of a study at work on its dataset.

    Parameters
    ----------
    dataset : Dataset
        Features, outcome, patients, covariates.
    models : sequence of ModelSpec
        Which models; the report tells about the first.
    validation : ValidationSpec
        Folds, repeats, rules.
    assessment : Assessment
        What else is asked.
    n_jobs : int
        Parallel workers.
    watch : callable
        Makes a progress callback for each piece of work.
    reference : Dataset or None
        Unfractured vertebrae of the same patients, for the negative control.
    repeats, reference_repeats : sequence of DataFrame or None
        Repeated measurements of the dataset and of the reference vertebrae, for models with `min_icc`.
    """

    dataset: Dataset
    models: Sequence[ModelSpec]
    validation: ValidationSpec
    assessment: Assessment = field(default_factory=Assessment)
    n_jobs: int = 1
    watch: Watch = unwatched
    reference: Dataset | None = None
    repeats: Repeats | None = None
    reference_repeats: Repeats | None = None

    def results(self) -> list[Result]:
        """Return the validation and everything that was asked beside it."""
        validated = self._validated()
        results = [validated]
        if len(validated.spec["runs"]) > 1:
            results.append(compare(validated, confidence=self.validation.confidence))
        if self.assessment.subgroups:
            results.append(subgroups(validated, self.dataset, self.assessment.subgroups))
        if self.reference is not None:
            progress = self.watch("validating on reference vertebrae")
            results.append(
                negative_control(
                    self.reference,
                    self.models,
                    self.validation,
                    repeats=self.reference_repeats,
                    n_jobs=self.n_jobs,
                    progress=progress,
                )
            )
        return [*results, *self._assessed(validated)]

    def sets(self) -> dict[str, FeatureSet]:
        """Return the feature sets; columns that pyradiomics did not name are called features."""
        names = [str(name) for name in self.dataset.X.columns]
        signs = [name for name in names if parse_feature(name).feature_class == SIGN]
        named = feature_sets(self.dataset, signs)
        if any(parse_feature(str(name)).feature_class for name in self.dataset.X.columns):
            return named
        return {FEATURES if name == TEXTURE else name: chosen for name, chosen in named.items()}

    def primary(self) -> tuple[str, FeatureSet]:
        """Return the feature set that the report tells about: the features without the covariates."""
        sets = self.sets()
        name = next(name for name in (TEXTURE, FEATURES, *sets) if name in sets)
        return name, sets[name]

    def _validated(self) -> Result:
        parts = [
            cross_validate_many(
                self.dataset,
                self.models,
                self.validation,
                features=chosen.features,
                feature_set=name,
                with_covariates=chosen.with_covariates,
                repeats=self.repeats,
                n_jobs=self.n_jobs,
                progress=self.watch(f"validating: {name}"),
            )
            for name, chosen in self.sets().items()
        ]
        if self.assessment.baselines:
            progress = self.watch("validating: simple rules")
            parts.append(
                validate_baselines(self.dataset, self.validation, n_jobs=self.n_jobs, progress=progress)
            )
        joined = combine(parts)
        spec = {**joined.spec, "primary": [self.primary()[0], self.models[0].name]}
        named = Result(joined.kind, joined.tables, spec, joined.provenance)
        return at_prevalence(named, self.assessment.prevalence) if self.assessment.prevalence else named

    def _assessed(self, validated: Result) -> list[Result]:
        """Return what is asked of the first model on the first feature set."""
        name, chosen = self.primary()
        asked, model, single = self.assessment, self.models[0], self._single()
        level = self.validation.confidence
        explained = partial(explain, self.dataset, model, self.validation, validated, confidence=level)
        shared = partial(shapley_values, self.dataset, model, self.validation, validated, confidence=level)
        probed = partial(leakage_probe, self.dataset, model, single, n_probes=asked.probes)
        drawn = partial(optimism, self.dataset, model, single, n_boot=asked.optimism_samples)
        permuted = partial(permutation_test, self.dataset, model, single, n_permutations=asked.permutations)
        runs = (
            (asked.explanation, explained, "explaining the model"),
            (asked.shapley, shared, "explaining single vertebrae"),
            (asked.probes, probed, "probing for leakage"),
            (asked.optimism_samples, drawn, "estimating optimism"),
            (asked.permutations, permuted, "permuting labels"),
        )
        return [
            run(
                features=chosen.features,
                feature_set=name,
                with_covariates=chosen.with_covariates,
                repeats=self.repeats,
                seed=self.validation.seed,
                n_jobs=self.n_jobs,
                progress=self.watch(label),
            )
            for wanted, run, label in runs
            if wanted
        ]

    def _single(self) -> ValidationSpec:
        """Return the validation with one repeat: probes and permutations repeat the whole instead."""
        return ValidationSpec(**{**self.validation.as_dict(), "repeats": 1})
