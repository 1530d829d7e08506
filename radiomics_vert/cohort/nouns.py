"""The nouns of a study before any number is computed: `Scan`, `Case`, `Refusal`, `Cohort`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from radiomics_vert.cohort.levels import Level
from radiomics_vert.cohort.schemes import LabelScheme
from radiomics_vert.errors import Problem
from radiomics_vert.imaging import DEFAULT_THRESHOLD, Remark


@dataclass(frozen=True)
class Scan:
    """One image and its mask, of one subject and sequence.

    Parameters
    ----------
    scan_id : str
        Derived and unique: subject, session, sequence, rater (those that are set), joined by `_`.
    subject_id, sequence : str
        The patient, and what was acquired (`CT`, `T1`, `STIR`, ...).
    image, mask : Path
        Files that exist, or folders: of a DICOM series, of one mask file per vertebra.
    scheme : LabelScheme
        What the numbers in the mask mean; explicit, never guessed.
    subregions : Path, optional
        A second mask on the same grid that separates body from posterior elements.
    region : {"vertebra", "body"}
        Which part of each vertebra is measured; `body` needs `subregions` or a scheme of bodies.
    rater, session, site : str
        Empty when the study has one of each.
    row : int
        Line of the manifest.
    facts : mapping
        Further manifest columns (kVp, slice thickness, ...), as text.
    image_digest : str
        sha256 of the image file, or of the files of a DICOM series.
    series : str
        Which series of a DICOM folder; empty when it holds one.
    threshold : float
        Share of the largest value from which a voxel of a fractional DICOM-SEG is inside.
    further_masks : tuple of Path
        More files, when every vertebra has its own and the manifest lists them.
    pseudonymous : bool
        The subject id is a pseudonym, so messages must not show file names either.
    subregions_scheme : LabelScheme, optional
        What the numbers of `subregions` mean, where the manifest names it.
    remarks : tuple of Remark
        What the reader of the mask decided: a threshold, overlaps, segments that are no vertebra.
    """

    scan_id: str
    subject_id: str
    sequence: str
    image: Path
    mask: Path
    scheme: LabelScheme
    subregions: Path | None = None
    region: str = "vertebra"
    rater: str = ""
    session: str = ""
    site: str = ""
    row: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)
    image_digest: str = ""
    series: str = ""
    threshold: float = DEFAULT_THRESHOLD
    further_masks: tuple[Path, ...] = ()
    pseudonymous: bool = False
    subregions_scheme: LabelScheme | None = None
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class Case:
    """One vertebra in one scan.

    Parameters
    ----------
    case_id : str
        `<scan_id>_<level>`, or `<scan_id>_label<k>` where the scheme does not name levels.
    scan : Scan
        Where it is.
    level : Level or None
        None only under a scheme whose labels are unnamed instances.
    label : int
        The value in the vertebra label map of the scan.
    voxels : int
        Number of voxels.
    box : tuple of int
        Bounding box in voxels, (x0, x1, y0, y1, z0, z1), upper ends excluded.
    mask_digest : str
        sha256 of the geometry and of the voxels of this vertebra alone.
    components : int
        Connected components (26-neighbourhood).
    touches_border : bool
        The vertebra reaches the edge of the image, so part of it may be missing.
    """

    case_id: str
    scan: Scan
    level: Level | None
    label: int
    voxels: int
    box: tuple[int, int, int, int, int, int]
    mask_digest: str
    components: int = 1
    touches_border: bool = False

    def identity(self) -> dict[str, object]:
        """Return the columns that every table of cases begins with."""
        return {
            "case_id": self.case_id,
            "subject_id": self.scan.subject_id,
            "session": self.scan.session,
            "sequence": self.scan.sequence,
            "rater": self.scan.rater,
            "site": self.scan.site,
            "level": str(self.level) if self.level else "",
            "label": self.label,
        }


@dataclass(frozen=True)
class Refusal:
    """A manifest row that cannot enter the cohort, or a case that failed, and why.

    Parameters
    ----------
    case_id : str
        The case; for a whole scan, its scan id.
    subject_id, session, sequence, rater, site, level : str
        As in :meth:`Case.identity`; `level` is empty for a whole scan.
    label : int
        0 for a whole scan.
    problem : Problem
        The reason and the remedy.
    """

    case_id: str
    subject_id: str
    session: str
    sequence: str
    rater: str
    site: str
    level: str
    label: int
    problem: Problem

    @classmethod
    def of_scan(cls, scan: Scan, problem: Problem) -> Refusal:
        """Refuse a whole scan."""
        return cls(
            scan.scan_id,
            scan.subject_id,
            scan.session,
            scan.sequence,
            scan.rater,
            scan.site,
            "",
            0,
            problem,
        )

    @classmethod
    def of_case(cls, case: Case, problem: Problem) -> Refusal:
        """Refuse one vertebra."""
        scan, level = case.scan, str(case.level) if case.level else ""
        return cls(
            case.case_id, scan.subject_id, scan.session, scan.sequence, scan.rater, scan.site, level,
            case.label, problem,
        )  # fmt: skip

    def row(self) -> dict[str, object]:
        """Return identity and problem as one table row."""
        identity = {key: value for key, value in vars(self).items() if key != "problem"}
        return {**identity, **self.problem.row()}


@dataclass(frozen=True)
class Cohort:
    """Ordered scans and their vertebrae, with the clinical table.

    Parameters
    ----------
    scans : tuple of Scan
        Usable scans, in manifest order.
    cases : tuple of Case
        Their vertebrae, scan by scan and from the head down.
    refused : tuple of Refusal
        Manifest rows that cannot be used, each with its reason.
    clinical : DataFrame
        The clinical table: `subject_id`, `level` (empty: the row applies to the subject), outcome,
        covariates. Empty when the study has none.
    unmatched_clinical : DataFrame
        Clinical rows that match no vertebra, with the column `line`.
    unlabelled : tuple of str
        Case ids without a clinical row of their own level (only where the clinical table has levels).
    manifest_digest : str
        sha256 of the manifest's bytes.
    """

    scans: tuple[Scan, ...]
    cases: tuple[Case, ...]
    refused: tuple[Refusal, ...] = ()
    clinical: pd.DataFrame = field(default_factory=pd.DataFrame)
    unmatched_clinical: pd.DataFrame = field(default_factory=pd.DataFrame)
    unlabelled: tuple[str, ...] = ()
    manifest_digest: str = ""

    def __len__(self) -> int:
        """Return the number of cases and refused scans: what `values + failures` must add up to."""
        return len(self.cases) + len(self.refused)

    def labelled(self) -> Cohort:
        """Return the cohort restricted to vertebrae that the clinical table names; refused scans stay."""
        return self.only({case.case_id for case in self.cases} - set(self.unlabelled))

    def only(self, cases: set[str]) -> Cohort:
        """Return the cohort restricted to these case ids; refused scans stay."""
        kept = tuple(case for case in self.cases if case.case_id in cases)
        used = {case.scan.scan_id for case in kept}
        return Cohort(
            tuple(scan for scan in self.scans if scan.scan_id in used),
            kept, self.refused, self.clinical, self.unmatched_clinical, self.unlabelled, self.manifest_digest,
        )  # fmt: skip
