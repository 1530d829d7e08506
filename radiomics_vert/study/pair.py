"""Quality control of one image and its mask, without a study."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from radiomics_vert.checks import Finding, check_cohort
from radiomics_vert.cohort import Cohort, LabelScheme, Scan, examine_scan, load_scheme, scheme_candidates
from radiomics_vert.cohort.loading import open_mask
from radiomics_vert.errors import CohortError, Problem, RadiomicsVertError, SettingsError
from radiomics_vert.extraction import ExtractionParams, builtin_params
from radiomics_vert.extraction.extracting import steps_for
from radiomics_vert.extraction.quality import is_ct
from radiomics_vert.study.quality import Quality, control_quality

# The shipped parameters of the usual names of sequences.
PARAMETERS = {
    "T1": "t1",
    "T2": "t2",
    "STIR": "stir",
    "T1C": "t1_contrast",
    "T1_CONTRAST": "t1_contrast",
    "ADC": "adc",
    "FF": "fat_fraction",
    "FAT_FRACTION": "fat_fraction",
}
MEASURED = "scan"
"""Name of the one scan where the image's name cannot be one."""


@dataclass(frozen=True)
class PairCheck:
    """What was found in one image and its mask.

    Parameters
    ----------
    cohort : Cohort
        The one scan, or why it is refused.
    quality : Quality
        Measures, findings and verdict.
    """

    cohort: Cohort
    quality: Quality

    @property
    def verdict(self) -> str:
        """`ready`, `ready with warnings` or `refused`."""
        return str(self.quality.verdicts["verdict"].iloc[0])

    @property
    def findings(self) -> list[Finding]:
        """Everything that was found; refusals are errors."""
        return [*check_cohort(self.cohort), *self.quality.findings]


def check_pair(
    image: Path,
    mask: Path,
    scheme: str | None,
    *,
    sequence: str = "",
    series: str = "",
    output: Path | None = None,
) -> PairCheck:
    """Measure the quality of the vertebrae of one image and its mask.

    Parameters
    ----------
    image, mask : Path
        Any file or folder that a row of an image table may name.
    scheme : str or None
        Label scheme of the mask; see :func:`radiomics_vert.cohort.load_scheme`.
    sequence : str, default ""
        `CT`, `T1`, ...: chooses the shipped parameters and, for CT, the checks of Hounsfield units.
    series : str, default ""
        Which series of a DICOM folder.
    output : Path, optional
        Folder for the pages; without it none are written.

    Returns
    -------
    PairCheck

    Raises
    ------
    CohortError
        RV107: no scheme, or no such scheme; the message names those that fit the numbers of the mask.
    """
    require_files(image, mask)
    scan = named_scan(image, mask, LabelScheme("unknown"), sequence, series)
    if scheme is None:
        raise CohortError(_suggestions(scan))
    known = load_scheme(scheme)
    scan = replace(scan, scheme=known, region=known.region)
    cases, refused = examine_scan(scan)
    cohort = Cohort(tuple({case.scan.scan_id: case.scan for case in cases}.values()), cases, refused)
    params = _parameters(scan) if cases else None
    quality = control_quality(cohort, cohort, params, title=scan.scan_id, folder=output)
    return PairCheck(cohort, quality)


def require_files(*paths: Path) -> None:
    """Raise RV101, once for every path where nothing is."""
    absent = [path for path in paths if not path.exists()]
    if absent:
        expected, remedy = "an image and a mask", "correct the path"
        raise SettingsError(
            *(Problem("RV101", expected, "no such file", path.name, remedy) for path in absent)
        )


def named_scan(image: Path, mask: Path, scheme: LabelScheme, sequence: str, series: str) -> Scan:
    """Return one image and its mask as a scan, named after the image."""
    stem = image.name.split(".")[0]
    name = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_") else "-" for sign in stem)
    name = name.strip("-_") or MEASURED
    return Scan(name, name, sequence or "unknown", image, mask, scheme, series=series)


def _parameters(scan: Scan) -> dict[str, ExtractionParams] | None:
    """Return the shipped parameters for a sequence; None when its name is not a usual one.

    None too where they do not suit the scan (2-D features of an isotropic one): nobody asked for them. One
    pair has no clinical table that tells which vertebrae are references for MR signal, so grey levels are
    counted relative to the vertebra itself.
    """
    name = "ct" if is_ct(scan.sequence) else PARAMETERS.get(scan.sequence.upper().replace("-", "_"))
    if name is None:
        return None
    shipped = builtin_params(name)
    if shipped.preprocessing.intensity == "reference":
        shipped = replace(shipped, preprocessing=replace(shipped.preprocessing, intensity="zscore"))
    params = {scan.sequence: shipped}
    try:
        steps_for(scan, params)
    except RadiomicsVertError:
        return None
    return params


def _suggestions(scan: Scan) -> Problem:
    """Return the problem of a missing scheme, with those that fit the mask; none of them is chosen."""
    mask = open_mask(scan)
    fitting = []
    if mask.numbered:
        present = [segment.number for segment in mask.segments]
        for name in scheme_candidates(present):
            levels = [str(level) for level, _ in load_scheme(name).split(present).values()]
            fitting.append(f"{name} (then it holds {', '.join(levels)})")
    if mask.named:
        fitting.insert(0, "names (the mask names its own segments)")
    told = "; ".join(fitting) or "none of the schemes fits its numbers; `radiomics-vert schemes` lists all"
    return Problem(
        "RV107",
        "--scheme: what the numbers in the mask mean",
        f"no scheme. That fit this mask: {told}",
        scan.mask.name,
        "name the scheme of the tool that made the mask; the numbers alone do not tell which it was",
    )
