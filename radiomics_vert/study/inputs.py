"""What a study starts from: cohort, parameter files, and what the dataset will be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from radiomics_vert.checks import Finding, check_cohort, check_dataset, check_plan, finding_of
from radiomics_vert.cohort import Case, Cohort, ReferenceRule, read_cohort, reference_cases
from radiomics_vert.config import StudySettings
from radiomics_vert.dataset import (
    ACQUISITION_COVARIATES,
    DERIVED_COVARIATES,
    T_SCORE_COLUMNS,
    Dataset,
    preview,
)
from radiomics_vert.errors import (
    AnalysisError,
    CohortError,
    DatasetError,
    Problem,
    RadiomicsVertError,
    raise_all,
)
from radiomics_vert.extraction import ExtractionParams, builtin_params, read_params
from radiomics_vert.feature_table import IDENTITY
from radiomics_vert.imaging import Perturbation
from radiomics_vert.modeling import MIN_REPEATED, require_package
from radiomics_vert.phrases import count, did_you_mean, vertebrae
from radiomics_vert.study.agreement import COLUMN, MIN_VERTEBRAE, repeated_rows
from radiomics_vert.study.analysis import Watch
from radiomics_vert.study.choices import validation_spec
from radiomics_vert.study.folder import Study

# What stands in the way of validated models only; features of a pilot cohort can be extracted all the same.
_OF_MODELS = ("RV406", "RV413", "RV502", "RV506", "RV507")


@dataclass(frozen=True)
class Inputs:
    """Tables and files of a study, read and matched.

    Parameters
    ----------
    cohort : Cohort
        All that the image table names.
    measured : Cohort
        The part that is measured: the vertebrae of the clinical table, or all.
    parameters : dict of str to ExtractionParams
        Per sequence.
    references : dict of str to tuple of Case
        Reference vertebrae by scan id, as the study chooses them.
    expected : Dataset or None
        Who will enter the analysis, before features; None when nobody can.
    outcome_problems : tuple of Problem
        Why there is no dataset to expect.
    """

    cohort: Cohort
    measured: Cohort
    parameters: dict[str, ExtractionParams]
    references: dict[str, tuple[Case, ...]]
    expected: Dataset | None
    outcome_problems: tuple[Problem, ...]

    def summary(self) -> str:
        """Say in one line what was understood."""
        scans, cases = self.cohort.scans, self.measured.cases
        levels = sorted(case.level for case in cases if case.level)
        span = f" ({levels[0]} to {levels[-1]})" if levels else ""
        patients = len({scan.subject_id for scan in scans})
        parts = [
            f"{count(len(scans), 'scan')} of {count(patients, 'patient')}",
            f"{vertebrae(len(self.cohort.cases))} in the masks",
            f"{len(cases)} to measure{span}",
        ]
        if self.expected is not None:
            classes = ", ".join(f"{number} {name}" for name, number in self.expected.counts().items())
            parts.append(f"{vertebrae(len(self.expected))} to analyse ({classes})")
        return "; ".join(parts)

    def findings(self, patient_folds: int | None) -> list[Finding]:
        """Return everything that can be said before features are computed."""
        found = check_cohort(self.measured, list(self.parameters))
        nothing = self._nothing_to_measure()
        found += [finding_of(nothing)] if nothing else []
        found += [finding_of(problem) for problem in self.outcome_problems]
        if self.expected is not None:
            found += check_dataset(self.expected, patient_folds)
        return found

    def unusable_settings(self, settings: StudySettings) -> list[Finding]:
        """Return what the settings ask for and this cohort cannot give."""
        found = []
        for name in settings.reliability.perturbations:
            try:
                Perturbation.parse(name)
            except RadiomicsVertError as error:
                found += [finding_of(problem) for problem in error.problems]
        if settings.assessment.negative_control and not self.cohort.unlabelled:
            told = "no vertebra without a clinical row of its own, so there is no reference vertebra"
            found.append(Finding("RV408", "error", told, "leave assessment.negative_control out"))
        found += self._unusable_repeats(settings)
        found += self._unusable_comparisons(settings)
        if settings.assessment.shapley:
            try:
                require_package(settings.validation.models[0])
            except RadiomicsVertError as error:
                found += [finding_of(problem) for problem in error.problems]
        if self.expected is not None:
            chosen = settings.validation
            found += check_plan(
                self.expected,
                validation_spec(settings),
                subgroups=settings.assessment.subgroups,
                harmonise_covariates=None if chosen.harmonise == "none" else chosen.harmonise_covariates,
            )
        return found

    def _unusable_repeats(self, settings: StudySettings) -> list[Finding]:
        """Return why the reliability filter would find no, or too few, repeated measurements."""
        chosen = settings.validation
        if chosen.min_icc is None:
            return []
        if chosen.min_icc_from == "raters":
            if settings.cohort.rater and len({scan.rater for scan in self.cohort.scans} - {""}) > 1:
                return []
            told = "validation.min_icc looks at further raters, but the image table has no second one"
            remedy = "fill the column `rater` and name cohort.rater, or set min_icc_from to perturbations"
            return [Finding("RV503", "error", told, remedy)]
        inner = (1 - 1 / chosen.outer_folds) * (1 - 1 / chosen.inner_folds)
        again = min(settings.reliability.sample, len(self.measured.labelled().cases))
        # On average twice as many as needed, so that hardly any fold falls short.
        if again * inner >= 2 * MIN_REPEATED:
            return []
        told = (
            f"of {again} vertebrae measured again about {again * inner:.0f} are in an inner training fold; "
        )
        told += f"{2 * MIN_REPEATED} on average keep every fold above the {MIN_REPEATED} that an ICC needs"
        return [Finding("RV503", "error", told, "raise reliability.sample, or leave validation.min_icc out")]

    def _unusable_comparisons(self, settings: StudySettings) -> list[Finding]:
        """Return why raters or sessions could not be compared."""
        rows = pd.DataFrame([case.identity() for case in self.measured.cases], columns=list(IDENTITY))
        return [
            Finding(
                "RV503",
                "error",
                f"reliability.compare: fewer than {MIN_VERTEBRAE} vertebrae are to be measured with two "
                f"different {source}",
                f"fill the column {COLUMN[source]} of the image table, or leave {source} out",
            )
            for source in dict.fromkeys(settings.reliability.compare)
            if len(repeated_rows(rows, source, settings.cohort.rater)) < 2 * MIN_VERTEBRAE
        ]

    def require_analysis(self) -> None:
        """Stop before long work when nothing can come of it.

        Raises
        ------
        CohortError
            RV408 no case can be measured.
        DatasetError
            RV401, RV402 the outcome of the vertebrae cannot be analysed.
        """
        nothing = self._nothing_to_measure()
        if nothing:
            reasons = tuple(dict.fromkeys(refusal.problem for refusal in self.cohort.refused))
            raise CohortError(nothing, *reasons[:3])
        if self.outcome_problems:
            raise DatasetError(*self.outcome_problems)

    def _nothing_to_measure(self) -> Problem | None:
        """Return why not one vertebra would be measured; None where some would."""
        if self.measured.cases:
            return None
        wanted = "at least one vertebra to measure"
        if not self.cohort.cases:
            found = f"{count(len(self.cohort.refused), 'scan')} refused, no vertebra in any mask"
            remedy = "mend the problems that are listed with this one; `radiomics-vert check` lists all"
            return Problem("RV408", wanted, found, "image table", remedy)
        found = (
            f"{vertebrae(len(self.cohort.cases))} in the masks, none of them in a row of the clinical table"
        )
        remedy = "correct subject ids and levels (RV109 names the rows), or set extraction.vertebrae to all"
        if not any(case.level for case in self.cohort.cases):
            remedy = (
                "the masks name no levels: give the number in the mask in a column `label` of the clinical "
                "table instead of `level`, or choose a scheme that names levels"
            )
        return Problem("RV408", wanted, found, "clinical table", remedy)

    def require_plan(self, settings: StudySettings, *, for_models: bool) -> None:
        """Stop before long work when what the settings ask for cannot come of it.

        Parameters
        ----------
        settings : StudySettings
            Of the study.
        for_models : bool
            Models will be validated after the extraction; without them a cohort may be too small for the
            folds.

        Raises
        ------
        AnalysisError
            With the code of each error that `check` would list: RV502 too few patients for the folds, RV413
            an unknown subgroup, RV506 a package that is missing, and more.
        """
        found = self.unusable_settings(settings)
        if self.expected is not None:
            found = [*check_dataset(self.expected, validation_spec(settings).patient_folds), *found]
        raise_all(
            AnalysisError,
            [
                Problem(one.code, "settings that this cohort can bear", one.explanation, "study", one.remedy)
                for one in found
                if one.severity == "error" and (for_models or one.code not in _OF_MODELS)
            ],
        )


def read_inputs(study: Study, n_jobs: int, watch: Watch) -> Inputs:
    """Read tables and parameter files; collect the faults of all of them before giving up.

    Raises
    ------
    RadiomicsVertError
        With every fault of the parameter files and tables.
    """
    problems: list[Problem] = []
    parameters: dict[str, ExtractionParams] = {}
    for sequence, name in study.settings.extraction.parameters.items():
        try:
            own = _parameters(study.folder, name)
            parameters[sequence] = replace(own, engine=study.settings.extraction.engine)
        except RadiomicsVertError as error:
            problems += error.problems
    cohort: Cohort | None = None
    references: dict[str, tuple[Case, ...]] = {}
    try:
        cohort = _cohort(study, n_jobs, watch)
        problems += _missing_columns(cohort, study)
        references = reference_cases(cohort, ReferenceRule.parse(study.settings.cohort.reference))
    except RadiomicsVertError as error:
        problems += error.problems
    if problems or cohort is None:
        raise RadiomicsVertError(*problems)
    measured = cohort if study.settings.extraction.vertebrae == "all" else cohort.labelled()
    expected, unusable = _expected(study, measured)
    return Inputs(cohort, measured, parameters, references, expected, unusable)


def remeasured(cohort: Cohort, size: int, seed: int, rater: str | None) -> Cohort:
    """Return the cases to measure again: a random sample of those with a clinical row, and of the others.

    The others are drawn apart, because the reliability filter of a model counts the vertebrae of that
    model only. Where several raters drew, the masks are those of the rater who enters the analysis.
    """
    if rater:
        cohort = cohort.only({case.case_id for case in cohort.cases if case.scan.rater == rater})
    labelled = cohort.labelled()
    own = {case.case_id for case in labelled.cases}
    others = cohort.only({case.case_id for case in cohort.cases} - own)
    drawn = [random_sample(part, size, seed) for part in (labelled, others)]
    return cohort.only({case.case_id for part in drawn for case in part.cases})


def random_sample(cohort: Cohort, size: int, seed: int) -> Cohort:
    """Return so many cases of each sequence, drawn at random without replacement.

    The draw depends on the seed and the case ids only.
    """
    chosen: set[str] = set()
    for sequence in dict.fromkeys(case.scan.sequence for case in cohort.cases):
        names = sorted(case.case_id for case in cohort.cases if case.scan.sequence == sequence)
        rng = np.random.default_rng([seed, *sequence.encode()])
        chosen.update(rng.choice(names, size=min(size, len(names)), replace=False).tolist())
    return cohort.only(chosen)


def _cohort(study: Study, n_jobs: int, watch: Watch) -> Cohort:
    settings = study.settings.cohort
    return read_cohort(
        study.folder / settings.images,
        study.folder / settings.clinical,
        scheme=settings.scheme,
        region=settings.region,
        hash_ids=study.secret_file,
        n_jobs=n_jobs,
        cache=study.folder / study.settings.execution.cache,
        progress=watch("examining images and masks"),
    )


def _expected(study: Study, measured: Cohort) -> tuple[Dataset | None, tuple[Problem, ...]]:
    if not measured.cases:
        return None, ()
    try:
        return preview(measured, **study.dataset_roles()), ()
    except DatasetError as error:
        return None, error.problems


def _parameters(folder: Path, name: str) -> ExtractionParams:
    """Read a parameter file of the study, or a shipped one by its name."""
    if name.endswith((".yaml", ".yml")):
        return read_params(folder / name)
    return builtin_params(name)


def _columns(cohort: Cohort, settings: StudySettings) -> list[str]:
    made = T_SCORE_COLUMNS if settings.dxa.measured else ()
    return [*map(str, cohort.clinical.columns), *DERIVED_COVARIATES, *ACQUISITION_COVARIATES, *made]


def _missing_columns(cohort: Cohort, study: Study) -> list[Problem]:
    """Return a problem for each column that the study names and the clinical table lacks."""
    settings = study.settings
    asked = {settings.outcome.column: "outcome.column"} | dict.fromkeys(settings.covariates, "covariates")
    known = _columns(cohort, settings)
    return [
        Problem(
            "RV103",
            f"the column {name!r}, which the study names under {place}",
            f"the columns {', '.join(map(str, cohort.clinical.columns))}",
            settings.cohort.clinical,
            did_you_mean(name, known) or f"correct {place} in study.yaml, or add the column",
        )
        for name, place in asked.items()
        if name not in known
    ]
