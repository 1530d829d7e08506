"""What may stand in `study.yaml`: strict models, every option described.

Two halves: everything above `execution` changes results and is hashed; `execution` never is.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

ModelName = Literal["elastic_net", "linear_svm", "rbf_svm", "random_forest", "hist_gradient_boosting"]
Probability = Annotated[float, Field(gt=0.0, lt=1.0)]


class Strict(BaseModel):
    """Base of all settings: unknown keys are errors, values are not changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class CohortSettings(Strict):
    """Which images, masks and clinical data."""

    images: str = Field(
        "images.csv", description="Table with one row per image, relative to the study folder."
    )
    clinical: str = Field("clinical.csv", description="Table with the outcome, per vertebra or per subject.")
    scheme: str | None = Field(
        None,
        description="Label scheme of the masks (see `radiomics-vert schemes`) for rows of the image table "
        "that name none.",
    )
    region: Literal["vertebra", "body"] = Field(
        "vertebra",
        description="What to measure: the whole labelled vertebra, or its body alone (needs a scheme of "
        "bodies or a `subregions` mask).",
    )
    hash_ids: str | None = Field(
        None,
        description="File with a secret of 22 characters or more, relative to the study folder: subject ids "
        "become pseudonyms in all tables, pages and reports. Keep it out of what you publish.",
    )
    reference: str = Field(
        "unlabelled",
        description="Which vertebrae are a scan's reference for MR signal, where the parameters ask for one: "
        "`unlabelled` (no clinical row names them), or a clinical column and its value, such as `genant=0`.",
    )
    rater: str | None = Field(None, description="Whose masks enter the analysis where several raters drew.")


class OutcomeSettings(Strict):
    """What is to be told apart."""

    column: str = Field(description="Outcome column of the clinical table.")
    positive: str = Field(description="Class whose probability is modelled, for example metastatic.")
    negative: str | None = Field(
        None, description="The other class; needed when the column has more than two values."
    )

    @field_validator("positive", "negative", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        # YAML reads 1 and yes as numbers and truth values; a class name is text.
        return str(int(value)) if isinstance(value, bool | int) else value


class ExtractionSettings(Strict):
    """Which features of which vertebrae."""

    parameters: dict[str, str] = Field(
        description="Per sequence of the image table: a pyradiomics parameter file relative to the study "
        "folder, or the name of a shipped one (ct, t1, t2, stir, t1_contrast, adc, fat_fraction)."
    )
    vertebrae: Literal["labelled", "all"] = Field(
        "labelled",
        description="Measure only the vertebrae that the clinical table names, or all in the masks.",
    )
    engine: Literal["auto", "native", "pyradiomics"] = Field(
        "auto",
        description="What computes the features: compiled kernels with pyradiomics' names and values "
        "(native), pyradiomics itself, or native where it supports what is asked for (auto).",
    )
    verify: int = Field(
        3,
        ge=0,
        description="Cases, drawn at random, that are measured again with pyradiomics; the report states the "
        "largest relative difference. 0 for none.",
    )
    verify_seed: int = Field(2026, ge=0, description="Seed of that draw.")


class CalibrationSettings(Strict):
    """The line from HU to bone mineral density, from a phantom scanned with the patients or before."""

    slope: float = Field(gt=0, description="mg/cm3 per HU.")
    intercept: float = Field(0.0, description="mg/cm3 at 0 HU.")


class SignSettings(Strict):
    """Which imaging signs are measured beside texture."""

    measure: bool = Field(True, description="Measure the imaging signs of every vertebra.")
    sequences: dict[str, str] = Field(
        {},
        description="What a sequence of the image table is called in the registry of signs (CT, T1, T2, "
        "STIR, T1_CONTRAST, ADC, IN_PHASE, OPPOSED_PHASE, FAT_FRACTION), where the names differ.",
    )
    calibration: CalibrationSettings | None = Field(
        None, description="From HU to mg/cm3, for volumetric bone mineral density; absent without it."
    )
    norm: str | None = Field(
        None,
        description="Table of mean trabecular HU of healthy people (columns sex, age_from, age_to, hu), "
        "relative to the study folder; with the clinical columns age and sex it gives the loss against them.",
    )


class DxaSettings(Strict):
    """Bone density measured by DXA, from the clinical table: makes the columns t_score and t_score_class.

    Normal from -1.0 on, osteopenia between, osteoporosis from -2.5 down, severe with a fragility fracture.
    Only post-menopausal women and men from 50 on have a T-score; the measure of others is the Z-score. None
    is ever made from HU or from MRI.
    """

    t_score: str | None = Field(None, description="Clinical column with the T-score as reported.")
    bmd: str | None = Field(
        None, description="Clinical column with the density in g/cm2, instead of the T-score."
    )
    reference: str | None = Field(
        None, description="Name of the young adults that `bmd` is compared with: population, site, device."
    )
    young_mean: float | None = Field(None, gt=0, description="Their mean density, g/cm2.")
    young_sd: float | None = Field(None, gt=0, description="Its standard deviation, g/cm2.")
    age: str = Field("age", description="Clinical column with the age in years.")
    sex: str = Field("sex", description="Clinical column with F or M (or female, male).")
    postmenopausal: str | None = Field(
        None, description="Clinical column with yes or no for women; without it women have no T-score."
    )
    postmenopausal_from: float | None = Field(
        None,
        gt=0,
        description="Age from which a woman whose status is not recorded counts as post-menopausal; an "
        "assumption of the study, so there is none by default.",
    )
    fragility: str | None = Field(
        None,
        description="Clinical column with yes or no: a fragility fracture makes osteoporosis severe. Where "
        "all patients have a fracture it may restate the outcome.",
    )

    @model_validator(mode="after")
    def _one_measurement(self) -> DxaSettings:
        of_bmd = {name: getattr(self, name) for name in ("reference", "young_mean", "young_sd")}
        if self.t_score is not None and self.bmd is not None:
            raise ValueError("name the column of the T-score or that of the density, not both")
        if self.bmd is not None and None in of_bmd.values():
            lacking = ", ".join(name for name, value in of_bmd.items() if value is None)
            raise ValueError(f"a density becomes a T-score by its reference: add {lacking}")
        given = {name for name, value in self.model_dump().items() if value is not None} - {"age", "sex"}
        if self.bmd is None and given & set(of_bmd):
            raise ValueError("reference, young_mean and young_sd belong to bmd, which is not named")
        if given and not given & {"t_score", "bmd"}:
            raise ValueError("name the column of the measurement: t_score or bmd")
        return self

    @property
    def measured(self) -> bool:
        """Whether a measurement is named."""
        return self.t_score is not None or self.bmd is not None


class AssociationSettings(Strict):
    """How single features are compared between the classes."""

    confidence: Probability = Field(0.95, description="Level of all intervals.")
    fdr: Probability = Field(0.05, description="False discovery rate at which a feature is called different.")
    adjust_features: int = Field(
        30,
        ge=0,
        description="So many features with the smallest p values are also tested adjusted for the "
        "covariates; 0 for none.",
    )


class ReliabilitySettings(Strict):
    """How well features bear another outline of the same vertebra."""

    perturbations: list[str] = Field(
        [],
        description="Changes of the masks whose effect on the features is measured, such as grow1, shrink1, "
        "rotate+2, rotate-2, shift+0.5, contour1.",
    )
    compare: list[Literal["raters", "sessions"]] = Field(
        [],
        description="Repeated measurements of the cohort itself whose agreement is measured too: the masks "
        "of several raters, the scans of several sessions. The ICC of the changed masks stands beside the "
        "association where there are some, else that of the first named here.",
    )
    sample: int = Field(
        24,
        ge=5,
        description="Vertebrae per sequence, drawn at random, whose masks are changed; as many without a "
        "clinical row of their own where all vertebrae are measured.",
    )
    form: Literal["ICC(1,1)", "ICC(2,1)", "ICC(3,1)"] = Field(
        "ICC(2,1)", description="Intraclass correlation coefficient of the main table."
    )
    threshold: Probability = Field(0.75, description="From here on a feature is called reliable.")
    seed: int = Field(2026, ge=0, description="Seed of the draw and of random contours.")


class ValidationSettings(Strict):
    """How the models are validated."""

    models: list[ModelName] = Field(
        ["elastic_net"],
        min_length=1,
        description="Models to validate; the report tells about the first, the others stand beside it.",
    )
    selection: Literal["univariate", "mrmr", "stability", "l1"] = Field(
        "univariate", description="How features are ranked inside the training folds."
    )
    min_icc: Probability | None = Field(
        None,
        description="Drop features whose ICC(2,1) between repeated measurements of the training rows is "
        "smaller, in every training fold; needs repeated measurements.",
    )
    min_icc_from: Literal["perturbations", "raters"] = Field(
        "perturbations",
        description="Which repeated measurements `min_icc` looks at: the changed masks of "
        "`reliability.perturbations`, or the masks of further raters beside `cohort.rater`.",
    )
    imbalance: Literal["none", "class_weight", "oversample"] = Field(
        "none",
        description="What is done about a rare class in the training rows: weigh both classes equally, or "
        "repeat patients of the rarer class; either way probabilities no longer fit the prevalence of the "
        "study.",
    )
    harmonise: Literal["none", "combat"] = Field(
        "none", description="Remove differences between sites inside the training folds (ComBat)."
    )
    harmonise_covariates: list[str] = Field(
        [], description="Covariates whose differences ComBat must not remove; the outcome is refused."
    )
    unseen_site: Literal["reference", "refuse"] = Field(
        "reference",
        description="Vertebrae of a site that the training rows do not know, under ComBat: `reference` "
        "leaves their features as they are and scales them by the pooled harmonised training rows; "
        "`refuse` is an error.",
    )
    scheme: Literal["repeated_kfold", "leave_one_site_out"] = Field(
        "repeated_kfold", description="Outer folds: patients at random, or each site in turn."
    )
    scoring: Literal["log_loss", "auc"] = Field(
        "log_loss", description="By what the inner folds choose hyper-parameters."
    )
    repeats: int = Field(10, ge=1, description="Repetitions of the outer cross-validation.")
    outer_folds: int = Field(5, ge=2, description="Outer folds, by patient.")
    inner_folds: int = Field(5, ge=2, description="Inner folds, by patient: they choose everything.")
    seed: int = Field(2026, ge=0, description="Seed of all random numbers.")
    threshold: Literal["youden", "sensitivity"] = Field(
        "youden",
        description="How inner folds choose the decision threshold: the largest Youden index, or the "
        "highest threshold that reaches `target_sensitivity`.",
    )
    target_sensitivity: Probability = Field(
        0.9, description="Sensitivity to reach when `threshold` is `sensitivity`."
    )
    patient_rule: Literal["max", "mean"] = Field(
        "max", description="How the probabilities of a patient's vertebrae become one number."
    )
    split_by: Literal["subject"] = Field(
        "subject",
        description="What a fold keeps together. Only `subject`: splitting by vertebra leaks patients.",
    )

    @field_validator("split_by", mode="before")
    @classmethod
    def _patients_stay_together(cls, value: object) -> object:
        if value in ("vertebra", "case", "level", "row", "lesion"):
            raise ValueError(
                f"a split by {value} is refused: vertebrae of one patient resemble each other, so a model "
                "tested on a patient it has seen looks better than it is"
            )
        return value

    @model_validator(mode="after")
    def _new_sites_have_a_rule(self) -> ValidationSettings:
        refused = self.harmonise != "none" and self.unseen_site == "refuse"
        if refused and self.scheme == "leave_one_site_out":
            raise ValueError(
                "leave_one_site_out tests nothing but unseen sites: set unseen_site to reference, or "
                "harmonise to none"
            )
        return self


class AssessmentSettings(Strict):
    """What is asked of the models beside their validation."""

    baselines: bool = Field(
        True, description="Validate the simple rules that a model must beat: best feature, volume, published."
    )
    explanation: bool = Field(True, description="Importance of the features of the first model.")
    shapley: bool = Field(
        False,
        description="Shapley values of the first model: what each feature adds to the log odds of each "
        "vertebra. Models that are not linear need the extra `explanation` (package shap).",
    )
    probes: int = Field(
        3,
        ge=0,
        description="Runs of the leakage probe with permuted labels and with noise; 0 for none, else 2 or "
        "more; 10 for a narrow interval.",
    )
    optimism_samples: int = Field(
        0, ge=0, description="Bootstrap samples of patients for optimism and instability; 200 to report."
    )
    permutations: int = Field(
        0, ge=0, description="Permutations of the labels between patients; 200 to report a p value."
    )
    subgroups: list[str] = Field(
        ["level_region", "genant_grade", "sex", "age", "site"],
        description="Variables in whose groups the AUC is given, where the study has them.",
    )
    prevalence: list[Probability] = Field(
        [], description="Shares of positive vertebrae at which predictive values are given."
    )
    negative_control: bool = Field(
        False,
        description="Validate the same models on the unfractured vertebrae of the same patients; needs "
        "extraction.vertebrae: all.",
    )

    @field_validator("probes")
    @classmethod
    def _none_or_several(cls, value: int) -> int:
        if value == 1:
            raise ValueError("one run has no spread; use 0 or at least 2")
        return value


class ExecutionSettings(Strict):
    """How the work is done; changes no result and is never hashed."""

    workers: int = Field(-1, description="Parallel workers; -1 takes all cores.")
    backend: Literal["processes", "threads", "dask"] = Field(
        "processes",
        description="Where the workers are: processes or threads of this machine, or a Dask cluster "
        "(`pip install 'radiomics-vert[cluster]'`).",
    )
    scheduler: str | None = Field(
        None, description="Address of the cluster's scheduler, such as tcp://10.0.0.5:8786."
    )
    cache: str = Field(
        ".rv-cache",
        description="Folder of what was found in scans and measured, the cache, relative to the study.",
    )
    progress: bool = Field(True, description="Show progress bars.")

    @field_validator("workers")
    @classmethod
    def _some_worker(cls, value: int) -> int:
        if value == 0:
            raise ValueError("use 1 for no parallelism, or -1 for all cores")
        return value


class StudySettings(Strict):
    """Everything that `study.yaml` may hold."""

    title: str = Field(min_length=1, description="Title of the study; heads the report.")
    question: str = Field("", description="The question in one sentence.")
    choices: dict[str, str] = Field(
        {}, description="Choices that were made before looking at the data, name: what was chosen and why."
    )
    synthetic: bool = Field(False, description="The data are simulated; the report says so on every page.")
    cohort: CohortSettings = Field(default_factory=CohortSettings, description=CohortSettings.__doc__)
    outcome: OutcomeSettings = Field(description=OutcomeSettings.__doc__)
    covariates: list[str] = Field(
        [],
        description="Columns of the clinical table (age, sex, ...), or level_region, level_order, site, or "
        "facts of acquisition that the files or the image table tell (slice_thickness, contrast_phase, kvp, "
        "field_strength, manufacturer, model, ...; of several sequences the first that has the fact), or, "
        "with `dxa`, t_score and t_score_class; compared in Table 1 and validated as a model of their own.",
    )
    extraction: ExtractionSettings = Field(description=ExtractionSettings.__doc__)
    signs: SignSettings = Field(default_factory=SignSettings, description=SignSettings.__doc__)
    dxa: DxaSettings = Field(default_factory=DxaSettings, description=DxaSettings.__doc__)
    association: AssociationSettings = Field(
        default_factory=AssociationSettings, description=AssociationSettings.__doc__
    )
    reliability: ReliabilitySettings = Field(
        default_factory=ReliabilitySettings, description=ReliabilitySettings.__doc__
    )
    validation: ValidationSettings = Field(
        default_factory=ValidationSettings, description=ValidationSettings.__doc__
    )
    assessment: AssessmentSettings = Field(
        default_factory=AssessmentSettings, description=AssessmentSettings.__doc__
    )
    output: str = Field("results", description="Folder for results and report, relative to the study folder.")
    execution: ExecutionSettings = Field(
        default_factory=ExecutionSettings, description=ExecutionSettings.__doc__
    )

    @model_validator(mode="after")
    def _reference_vertebrae_are_measured(self) -> StudySettings:
        if self.assessment.negative_control and self.extraction.vertebrae != "all":
            raise ValueError(
                "assessment.negative_control needs the unfractured vertebrae: set extraction.vertebrae to all"
            )
        return self

    @model_validator(mode="after")
    def _reliability_filter_has_repeats(self) -> StudySettings:
        asked = self.validation.min_icc is not None and self.validation.min_icc_from == "perturbations"
        if asked and not self.reliability.perturbations:
            raise ValueError(
                "validation.min_icc needs repeated measurements: name changes of the masks under "
                "reliability.perturbations, for example [grow1, shrink1, shift+0.5], or set "
                "validation.min_icc_from to raters where a second rater drew masks"
            )
        return self

    def results_part(self) -> dict[str, object]:
        """Return the settings that change results, as plain values: what is hashed."""
        return self.model_dump(mode="json", exclude={"execution", "output"})
