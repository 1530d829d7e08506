"""A study on disk: its settings, and where its files are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from radiomics_vert.cohort import read_secret
from radiomics_vert.config import StudySettings, read_settings
from radiomics_vert.dataset import DxaColumns
from radiomics_vert.errors import Problem, ReportError
from radiomics_vert.feature_table import FeatureTable
from radiomics_vert.results import Result
from radiomics_vert.signs import SignTable
from radiomics_vert.storage import digest, read_json, sha256_file, write_json

RECORDS = "records"


class DatasetRoles(TypedDict):
    """Keyword arguments of :func:`radiomics_vert.merge`."""

    outcome: str
    positive: str
    negative: str | None
    covariates: list[str]
    rater: str | None
    dxa: DxaColumns | None


@dataclass(frozen=True)
class Study:
    """Settings and places of one study.

    Parameters
    ----------
    settings : StudySettings
        What `study.yaml` says.
    folder : Path
        Where it stands; the paths in it are relative to this folder.
    elsewhere : Path, optional
        Folder for results and report instead of the one that the settings name.
    """

    settings: StudySettings
    folder: Path
    elsewhere: Path | None = None

    @property
    def output(self) -> Path:
        """Folder of results and report."""
        return self.elsewhere or self.folder / self.settings.output

    @property
    def secret_file(self) -> Path | None:
        """File with the secret that turns subject ids into pseudonyms; None when ids stay."""
        name = self.settings.cohort.hash_ids
        return self.folder / name if name else None

    def secret(self) -> bytes:
        """Return the secret; empty when ids stay as they are."""
        return read_secret(self.secret_file) if self.secret_file else b""

    @property
    def features(self) -> Path:
        """Folder of the feature table."""
        return self.output / "features"

    @property
    def signs(self) -> Path:
        """Folder of the measured imaging signs."""
        return self.output / "signs"

    @property
    def perturbed(self) -> Path:
        """Folder of the features of vertebrae that were measured again on changed masks."""
        return self.output / "features_perturbed"

    @property
    def records(self) -> Path:
        """Folder of the result tables."""
        return self.output / RECORDS

    @property
    def settings_digest(self) -> str:
        """sha256 of the settings that change results."""
        return digest(self.settings.results_part())

    def dataset_roles(self) -> DatasetRoles:
        """Return the roles of the clinical columns, as :func:`radiomics_vert.merge` takes them."""
        settings = self.settings
        return {
            "outcome": settings.outcome.column,
            "positive": settings.outcome.positive,
            "negative": settings.outcome.negative,
            "covariates": settings.covariates,
            "rater": settings.cohort.rater,
            "dxa": DxaColumns(**settings.dxa.model_dump(exclude={"reference"}))
            if settings.dxa.measured
            else None,
        }

    def stage_digests(self) -> dict[str, str]:
        """Return for each stage the digest of the settings that it reads, and of the clinical table."""
        part = self.settings.results_part()
        clinical = self.folder / self.settings.cohort.clinical
        table = sha256_file(clinical) if clinical.is_file() else ""
        measured = [part[name] for name in ("cohort", "extraction", "reliability")]
        compared = [table, part["outcome"], part["covariates"], part["dxa"], part["association"]]
        return {
            "extract": digest(measured),
            "analyze": digest([measured, compared, part["title"], part["question"], part["choices"]]),
            "validate": digest([measured, compared, part["validation"], part["assessment"]]),
        }

    def mark(self, stage: str, *, first: bool = False) -> None:
        """Note with which settings a stage was run; the first stage forgets the others."""
        done = {} if first or not self.marks.is_file() else read_json(self.marks)
        write_json(self.marks, {**done, stage: self.stage_digests()[stage]})

    @property
    def marks(self) -> Path:
        """File with the digests of the stages that were run."""
        return self.records / "stages.json"

    def require_one_run(self) -> None:
        """Refuse to mix stages that were run with different settings.

        Raises
        ------
        ReportError
            RV701 `analyze` was not run, RV703 a stage was run with other settings or another table.
        """
        done = read_json(self.marks) if self.marks.is_file() else {}
        if "analyze" not in done:
            raise ReportError(_missing("the results", self.records, "analyze"))
        now = self.stage_digests()
        other = [stage for stage in done if done[stage] != now[stage]]
        if other:
            remedy = f"run again: {', '.join(f'radiomics-vert {stage}' for stage in other)} study.yaml"
            found = f"{', '.join(other)} run with other settings or another clinical table"
            expected = "all stages run with the settings as they are now"
            raise ReportError(Problem("RV703", expected, found, "study.yaml", remedy))

    def load_features(self) -> FeatureTable:
        """Return the feature table of an earlier `extract`.

        Raises
        ------
        ReportError
            RV701 there is none.
        """
        return _load_table(self.features, "a feature table")

    def load_signs(self) -> SignTable | None:
        """Return the imaging signs of an earlier `signs`; None where the study has none."""
        if not (self.signs / "features.json").is_file():
            return None
        return SignTable.load(self.signs)

    def measured(self) -> list[FeatureTable]:
        """Return what an earlier run measured: the feature table, and the signs where there are some."""
        signs = self.load_signs()
        return [self.load_features(), *([signs.features] if signs else [])]

    def load_perturbed(self) -> FeatureTable:
        """Return the features of changed masks of an earlier `extract`.

        Raises
        ------
        ReportError
            RV701 there are none.
        """
        return _load_table(self.perturbed, "the features of changed masks")


def load_study(path: str | Path, output: Path | None = None) -> Study:
    """Read `study.yaml`, or the `study.yaml` in a folder.

    Parameters
    ----------
    path : str or Path
        The file or its folder.
    output : Path, optional
        Folder for results and report instead of the one that the settings name.

    Returns
    -------
    Study

    Raises
    ------
    SettingsError
        The file is missing or wrong; all faults at once.
    """
    path = Path(path)
    path = path / "study.yaml" if path.is_dir() else path
    return Study(read_settings(path), path.parent, output)


# What each stage writes. A stage that runs again first removes what it wrote, and what rests on it.
MEASURED = (
    *("cohort", "checks_extraction", "quality", "extraction"),
    *("reliability", "reliability_raters", "reliability_sessions"),
)
ANALYSED = (
    *("study", "flow", "checks_dataset", "table_one", "signs", "association", "values"),
    *("adjusted", "confounding", "checks_confounding", "sample_size_check", "provenance"),
)
MODELLED = (
    *("validation", "checks_validation", "comparison", "subgroups", "negative_control", "explanation"),
    *("shapley", "leakage_probe", "optimism", "permutation", "external"),
)
KINDS = (*MEASURED, *ANALYSED, *MODELLED)


def load_results(folder: Path) -> list[Result]:
    """Return all results that stages have written into `folder`, in reading order.

    Raises
    ------
    ReportError
        RV701 there is none.
    """
    found = [kind for kind in KINDS if (folder / f"{kind}.json").is_file()]
    if not found:
        raise ReportError(_missing("results", folder, "analyze"))
    return [Result.load(folder, kind) for kind in found]


def _load_table(folder: Path, what: str) -> FeatureTable:
    if not (folder / "features.json").is_file():
        raise ReportError(_missing(what, folder, "extract"))
    return FeatureTable.load(folder)


def _missing(what: str, folder: Path, stage: str) -> Problem:
    remedy = f"run `radiomics-vert {stage} study.yaml` first, or `radiomics-vert run study.yaml`"
    where = f"{folder.parent.name}/{folder.name}"
    return Problem("RV701", f"{what} of an earlier stage", "none", where, remedy)
