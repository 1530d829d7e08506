"""The only place that knows the order of the stages: check, extract, analyze, validate, report."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from radiomics_vert.checks import Finding, check_cohort, check_features, check_validation, findings_result
from radiomics_vert.cohort import Cohort, read_clinical
from radiomics_vert.dataset import Dataset, merge
from radiomics_vert.extraction import extract, perturbed_features
from radiomics_vert.extraction.verify import Verification, verify
from radiomics_vert.feature_table import FeatureTable
from radiomics_vert.parallel import dismiss_workers, separate_workers
from radiomics_vert.provenance import git_state, run_facts
from radiomics_vert.reporting import build_report, summary_sentences, write_report
from radiomics_vert.results import Result, remove_results
from radiomics_vert.signs import SignTable, measure_signs, registry
from radiomics_vert.statistics import sign_findings
from radiomics_vert.storage import read_json, write_json
from radiomics_vert.study.agreement import agreement_results
from radiomics_vert.study.analysis import Watch, describe, examine, renamed, unwatched
from radiomics_vert.study.choices import model_stage, validation_spec
from radiomics_vert.study.deployment import MODEL, write_bundle
from radiomics_vert.study.folder import ANALYSED, KINDS, MODELLED, Study, load_results
from radiomics_vert.study.inputs import Inputs, read_inputs, remeasured
from radiomics_vert.study.quality import Quality, control_quality
from radiomics_vert.study.records import (
    acquisition_info,
    cohort_result,
    extraction_result,
    flow_result,
    provenance_result,
    reference_dataset,
    study_result,
)
from radiomics_vert.study.sign_sheets import SHEETS, write_study_sheets
from radiomics_vert.study.sign_tables import sign_tables
from radiomics_vert.worker_memory import memory_sentence

log = logging.getLogger("radiomics_vert.study")


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Parameters
    ----------
    summary : str
        What was understood.
    findings : list of Finding
        On settings, tables, images and masks.
    quality : Quality
        Measures of every vertebra, and a verdict for every scan.
    """

    summary: str
    findings: list[Finding]
    quality: Quality


@dataclass
class Run:
    """A study at work: who watches, how many workers, how long each stage took.

    Parameters
    ----------
    study : Study
        What to run.
    watch : callable, optional
        Makes a progress callback for each piece of work.
    workers : int, optional
        Parallel workers instead of those that the settings name.
    memory : str
        What the workers of the extraction needed, in words; filled by :meth:`Run.extract`.
    """

    study: Study
    watch: Watch = unwatched
    workers: int | None = None
    facts: dict[str, object] = field(default_factory=dict)
    memory: str = ""

    @property
    def n_jobs(self) -> int:
        """Number of parallel workers, as scikit-learn counts them."""
        return self.study.settings.execution.workers if self.workers is None else self.workers

    def check(self, *, pages: bool = True) -> Checked:
        """Say what was understood, and everything that can be said before features are computed.

        Faults of the settings, parameter files and tables are raised together, as one error.

        Parameters
        ----------
        pages : bool, default True
            Write the pages of quality control into the output folder.
        """
        inputs = self._inputs()
        settings = self.study.settings
        found = inputs.findings(validation_spec(settings).patient_folds) + inputs.unusable_settings(settings)
        with separate_workers():
            quality = self._quality(inputs, pages=pages)
        return Checked(inputs.summary(), [*found, *quality.findings], quality)

    def extract(self, *, for_models: bool = False) -> FeatureTable:
        """Measure features and signs of the cohort; write the tables and what was found on the way.

        Parameters
        ----------
        for_models : bool, default False
            Models follow: stop at once when this cohort cannot bear their validation.
        """
        study, started = self.study, time.perf_counter()
        inputs = self._inputs()
        inputs.require_analysis()
        inputs.require_plan(study.settings, for_models=for_models)
        measured, parameters = inputs.measured, inputs.parameters
        findings = check_cohort(measured, list(parameters))
        with separate_workers():
            # The pages of quality control link to the sign sheets, so these come first.
            self._signs(inputs, time.perf_counter())
            quality = self._quality(inputs, pages=True)
            # Workers have imported and drawn figures, 100 MB that extraction has no use for.
            dismiss_workers()
            table, verification = self._features(inputs)
            perturbed = self._perturb(inputs)
        remove_results(study.records, KINDS)
        table.save(study.features)
        findings += [finding for finding in check_features(table) if finding.severity != "error"]
        findings += _failed_cases(table, measured)
        findings += [finding for finding in quality.beside_extraction() if finding not in findings]
        renamed(findings_result(findings), "checks_extraction").save(study.records)
        cohort_result(inputs.cohort, measured).save(study.records)
        quality.result().save(study.records)
        extraction_result(table, parameters, verification).save(study.records)
        rater = study.settings.cohort.rater
        for result in agreement_results(study.settings.reliability, table, perturbed, rater):
            result.save(study.records)
        self.memory = memory_sentence(table.provenance.run["memory"])
        log.info(self.memory or "memory: no worker was needed")
        self._done("extract", started, extraction=dict(table.provenance.run))
        return table

    def _features(self, inputs: Inputs) -> tuple[FeatureTable, Verification]:
        """Compute the features; compare those of some cases with pyradiomics."""
        settings = self.study.settings
        table = extract(
            inputs.measured,
            inputs.parameters,
            references=inputs.references,
            n_jobs=self.n_jobs,
            cache=self.study.folder / settings.execution.cache,
            progress=self.watch("extracting features"),
        )
        verification = verify(
            inputs.measured,
            inputs.parameters,
            sample=settings.extraction.verify,
            seed=settings.extraction.verify_seed,
            among=set(table.values["case_id"]),
            references=inputs.references,
            n_jobs=self.n_jobs,
        )
        return table, verification

    def signs(self) -> SignTable | None:
        """Measure the imaging signs of all vertebrae, where the study wants them; write the tables."""
        started = time.perf_counter()
        inputs = self._inputs()
        inputs.require_analysis()
        with separate_workers():
            return self._signs(inputs, started)

    def _signs(self, inputs: Inputs, started: float) -> SignTable | None:
        """Measure the signs on whole scans, because neighbours are the references; keep what is studied."""
        study, settings = self.study, self.study.settings
        shutil.rmtree(study.signs, ignore_errors=True)
        if not settings.signs.measure:
            return None
        table = measure_signs(
            inputs.cohort,
            sequences=settings.signs.sequences,
            tables=sign_tables(study),
            n_jobs=self.n_jobs,
            cache=study.folder / settings.execution.cache,
            progress=self.watch("measuring signs"),
        ).of(inputs.measured)
        table.save(study.signs)
        write_study_sheets(
            inputs.cohort,
            table,
            study.signs,
            title=settings.title,
            sequences=settings.signs.sequences,
            synthetic=settings.synthetic,
            quality="../../qc",
            n_jobs=self.n_jobs,
            progress=self.watch("drawing sign sheets"),
        )
        self._keep("signs", {**dict(table.features.provenance.run), "seconds": _since(started)})
        return table

    def dataset(self) -> Dataset:
        """Return the dataset of what was measured and of the clinical table."""
        study = self.study
        measured = study.measured()
        clinical = read_clinical(study.folder / study.settings.cohort.clinical, study.secret())
        acquisition = Result.load(study.records, "cohort").frame("acquisition")
        return merge(measured, clinical, **study.dataset_roles(), acquisition=acquisition)

    def analyze(self) -> list[Result]:
        """Compare the classes, feature by feature; write the tables."""
        started = time.perf_counter()
        dataset, study = self.dataset(), self.study
        cohort = Result.load(study.records, "cohort")
        flow = flow_result(dataset, cohort, study.load_features())
        association = study.settings.association
        repeated = study.settings.reliability.perturbations or study.settings.reliability.compare
        agreement = Result.load(study.records, "reliability") if repeated else None
        folds = validation_spec(study.settings).patient_folds
        described = describe(dataset, association.confidence, folds, agreement)
        results = [
            study_result(study.settings, dataset),
            flow,
            *described,
            *examine(
                dataset,
                next(result for result in described if result.kind == "association"),
                acquisition_info(cohort, dataset),
                association.adjust_features,
                self.n_jobs,
                self.watch,
            ),
            *self._sign_findings(dataset, described),
            provenance_result(
                dataset, study.settings_digest, git_state(study.folder), study.settings.validation.seed
            ),
        ]
        remove_results(study.records, ANALYSED)
        for result in results:
            result.save(study.records)
        self._done("analyze", started)
        return results

    def _sign_findings(self, dataset: Dataset, described: Sequence[Result]) -> list[Result]:
        """Return what each sign shows, where the study measured some."""
        signs = self.study.load_signs()
        if signs is None:
            return []
        association = next(result for result in described if result.kind == "association")
        found = sign_findings(
            dataset, association, [vars(sign) for sign in registry().values()], signs.absences
        )
        spec = {**found.spec, "sheets": f"signs/{SHEETS}/index.html"}
        return [Result(found.kind, found.tables, spec, found.provenance)]

    def validate(self) -> list[Result]:
        """Validate the models by patient, compare, probe and explain them; write the tables."""
        started = time.perf_counter()
        stage = model_stage(self.study, self.dataset(), self.reference(), self.n_jobs, self.watch)
        results = stage.results()
        remove_results(self.study.records, MODELLED)
        for result in results:
            result.save(self.study.records)
        self.facts["model_bundle"] = write_bundle(stage, self.study.output / MODEL)
        renamed(findings_result(check_validation(results[0])), "checks_validation").save(self.study.records)
        self._done("validate", started, **self.facts)
        return results

    def reference(self) -> Dataset | None:
        """Return the unfractured vertebrae with the class of their patient, where the study asks for them."""
        if not self.study.settings.assessment.negative_control:
            return None
        unlabelled = Result.load(self.study.records, "cohort").frame("unlabelled")["case_id"]
        return reference_dataset(self.study.measured(), self.dataset(), set(unlabelled))

    def report(self) -> Path:
        """Build the report from the result tables; nothing is computed again."""
        self.study.require_one_run()
        path = report_folder(self.study.records, self.study.output)
        self._keep("report", run_facts())
        return path

    def run(self) -> Path:
        """Do it all: extract, analyze, validate, report."""
        self.extract(for_models=True)
        self.analyze()
        self.validate()
        return self.report()

    def _inputs(self) -> Inputs:
        return read_inputs(self.study, self.n_jobs, self.watch)

    def _quality(self, inputs: Inputs, *, pages: bool) -> Quality:
        return control_quality(
            inputs.cohort,
            inputs.measured,
            inputs.parameters,
            title=self.study.settings.title,
            folder=self.study.output if pages else None,
            synthetic=self.study.settings.synthetic,
            references=inputs.references,
            cache=self.study.folder / self.study.settings.execution.cache / "quality",
            n_jobs=self.n_jobs,
            progress=self.watch("looking at every vertebra"),
        )

    def _perturb(self, inputs: Inputs) -> FeatureTable | None:
        """Measure a sample of the vertebrae again on changed masks, where asked; write the features."""
        settings = self.study.settings.reliability
        shutil.rmtree(self.study.perturbed, ignore_errors=True)
        if not settings.perturbations:
            return None
        table = perturbed_features(
            remeasured(inputs.measured, settings.sample, settings.seed, self.study.settings.cohort.rater),
            inputs.parameters,
            references=inputs.references,
            perturbations=("original", *settings.perturbations),
            n_jobs=self.n_jobs,
            seed=settings.seed,
            cache=self.study.folder / self.study.settings.execution.cache,
            progress=self.watch("measuring on changed masks"),
        )
        table.save(self.study.perturbed)
        return table

    def _done(self, stage: str, started: float, **facts: object) -> None:
        seconds = _since(started)
        self._keep(stage, {**run_facts(), **facts, "seconds": seconds})
        self.study.mark(stage, first=stage == "extract")
        log.info("%s took %s s", stage, seconds)

    def _keep(self, stage: str, facts: Mapping[str, object]) -> None:
        """Note the facts of a stage beside those of the others; the first stage forgets them.

        A report that is built later does not touch what is known about the run that made the numbers.
        """
        path, records = self.study.output / "provenance.json", self.study.records
        known = read_json(path) if path.is_file() and stage != "extract" else {}
        whole = {"run": {**known.get("run", {}), stage: dict(facts)}}
        if (records / "provenance.json").is_file():
            whole["reproducible"] = dict(Result.load(records, "provenance").spec)
        write_json(path, whole)


def report_folder(results: Path, output: Path) -> Path:
    """Build the report of all results in a folder.

    Returns
    -------
    Path
        `report.html`.
    """
    return write_report(build_report(_joined_checks(load_results(results))), output)


def finding_counts(records: Path) -> dict[str, int]:
    """Return how many errors, warnings and notes the stages have found."""
    found = [result.frame() for result in load_results(records) if result.kind.startswith("checks_")]
    severity = pd.concat(found)["severity"] if found else pd.Series(dtype=str)
    return {name: int((severity == name).sum()) for name in ("error", "warning", "note")}


def result_sentences(results: Path) -> list[str]:
    """Return the three sentences that sum up the results in a folder."""
    return summary_sentences(_joined_checks(load_results(results)))


def _failed_cases(table: FeatureTable, cohort: Cohort) -> list[Finding]:
    """Return findings for cases that failed in extraction; refused scans are findings already."""
    refused = {refusal.case_id for refusal in cohort.refused}
    return [
        finding
        for finding in check_features(table)
        if finding.severity == "error" and not set(finding.cases) <= refused
    ]


def _joined_checks(results: list[Result]) -> list[Result]:
    """Join the findings of the stages into the one list that a reader sees."""
    checks = [result for result in results if result.kind.startswith("checks_")]
    rest = [result for result in results if result not in checks]
    if checks:
        rest.append(Result("checks", {"findings": pd.concat([result.frame() for result in checks])}))
    return rest


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 1)
