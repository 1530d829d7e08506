"""What the quality measures of the vertebrae tell: findings, outliers, and a verdict for each scan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from radiomics_vert.checks.analysis import grey_level_findings
from radiomics_vert.checks.findings import Finding, Severity
from radiomics_vert.cohort import Cohort, Level
from radiomics_vert.phrases import count, vertebrae
from radiomics_vert.storage import blanks_filled

# A vertebra with a tenth of its voxels excluded is no longer the vertebra [O].
MOST_CLIPPED = 0.10
MOST_HARDWARE = 0.10
# [O] HU. Any CT of the trunk shows fat or air below, and bone above; values without that are not HU.
HU_RANGE = (-100.0, 300.0)
# [O] Degrees: from here on "axial" and "left" no longer say where a slice lies.
MOST_OBLIQUE = 30.0
# [O] mm: thicker slices leave fewer than six in a body of about 25 to 30 mm height.
THICKEST_SLICE = 5.0
# [O] ml, wide on purpose: outside of these no adult vertebra of that region is whole and single. The
# lower ends leave room for masks of bodies and for collapse, the upper ends for sclerosis and large men.
VOLUMES = {"cervical": (2.0, 40.0), "thoracic": (3.0, 80.0), "lumbar": (8.0, 150.0)}
# [O] Over the mean of the neighbours: two vertebrae in one label give about 2.
VOLUME_RATIO = (0.5, 1.8)
# [O] Over the gaps nearby: a vertebra without a label gives about 2, a label twice about 0.5.
GAP_RATIO = (0.55, 1.6)
# [O] mm from centre to centre, for scans with too few gaps to compare.
GAPS_MM = {"cervical": (8.0, 30.0), "thoracic": (11.0, 45.0), "lumbar": (16.0, 55.0)}
# Iglewicz & Hoaglin (1993): modified z score above 3.5. [O] groups of fewer than 8 are not judged.
OUTLYING = 3.5
SMALLEST_GROUP = 8
JUDGED = ("volume_ml", "intensity_median", "intensity_iqr")

VERDICTS = ("ready", "ready with warnings", "refused")


@dataclass(frozen=True)
class _Rule:
    """One finding about vertebrae: which rows it concerns, and what it says about them."""

    code: str
    severity: Severity
    concerned: pd.Series
    told: str
    remedy: str

    def findings(self, table: pd.DataFrame) -> Iterator[Finding]:
        cases = tuple(table.loc[self.concerned.fillna(False).astype(bool), "case_id"].astype(str))
        if cases:
            told = f"{vertebrae(len(cases))} {self.told}"
            yield Finding(self.code, self.severity, told, self.remedy, cases)


def check_quality(table: pd.DataFrame) -> list[Finding]:
    """Check the quality measures of a cohort.

    Fragments, pieces and vertebrae at the border of the image are findings of
    :func:`radiomics_vert.check_cohort` already, and so are images and masks that occur twice.

    Parameters
    ----------
    table : DataFrame
        What :func:`radiomics_vert.extraction.measure_quality` returned.

    Returns
    -------
    list of Finding
        Thresholds are constants of this module, each with its source or marked as our own.
    """
    levels = table.dropna(subset=["grey_levels"])
    rules = (*_voxel_rules(table), *_place_rules(table), *_size_rules(table))
    return [
        *_problems(table),
        *(finding for rule in rules for finding in rule.findings(table)),
        *grey_level_findings(levels),
        *_scan_findings(table),
        *_outlier_findings(table),
    ]


def _problems(table: pd.DataFrame) -> Iterator[Finding]:
    """Return what would keep vertebrae from being extracted."""
    stopped = blanks_filled(table)
    stopped = stopped[stopped["problem"] != ""]
    for (code, remedy), group in stopped.groupby(["problem", "problem_remedy"], sort=True):
        told = f"{vertebrae(len(group))} cannot be measured: {group['problem_found'].iloc[0]}"
        yield Finding(str(code), "error", told, str(remedy), tuple(group["case_id"].astype(str)))


def _voxel_rules(table: pd.DataFrame) -> list[_Rule]:
    problem = blanks_filled(table)["problem"]
    told = problem.eq("RV302") | (_number(table, "grey_levels") == 1)
    constant = table["constant"].astype(str).eq("True") & ~told
    return [
        _Rule(
            "RV302",
            "warning",  # resampling mixes the surroundings in, so the extraction may not notice
            constant,
            "with one value in all voxels: there is no texture",
            "check that image and mask belong together",
        ),
        _Rule(
            "RV321",
            "warning",
            _number(table, "clipped_share") > MOST_CLIPPED,
            f"with more than {MOST_CLIPPED:.0%} of the voxels outside resegmentRange: what is left is a part",
            "look at the pictures: cement, metal, gas, or an image in another unit; leave them out",
        ),
        _Rule(
            "RV322",
            "warning",
            (_number(table, "hardware_share") > MOST_HARDWARE) & ~problem.eq("RV312"),
            f"with cement or metal (above 1500 HU) in more than {MOST_HARDWARE:.0%} of the voxels",
            "leave treated vertebrae out: they tell the treatment, not the disease",
        ),
    ]


def _place_rules(table: pd.DataFrame) -> list[_Rule]:
    ratio, gap = _number(table, "gap_ratio"), _number(table, "gap_mm")
    alone = ratio.isna() & gap.notna()
    per_level = gap / (_number(table, "levels_skipped").fillna(0) + 1)
    low, high = _bounds(table, GAPS_MM)
    far = (ratio > GAP_RATIO[1]) | (alone & (per_level > high))
    near = (ratio < GAP_RATIO[0]) | (alone & (per_level < low))
    mend = "look at the mask, and at the numbers of the vertebrae above and below"
    return [
        _Rule(
            "RV324", "warning", far,
            "much farther from the next one than their neighbours: one between them may lack its label", mend,
        ),
        _Rule(
            "RV324", "warning", near,
            "much nearer to the next one than their neighbours: one vertebra may carry two labels", mend,
        ),
        _Rule(
            "RV329", "warning", table["in_order"].astype(str).eq("False"),
            "above a vertebra that lies higher: two levels may be exchanged", mend,
        ),
        _Rule(
            "RV329", "note", _number(table, "levels_skipped") > 0,
            "above a level that the mask does not have",
            "nothing to do if the vertebra between was not outlined on purpose",
        ),
    ]  # fmt: skip


def _size_rules(table: pd.DataFrame) -> list[_Rule]:
    volume, ratio = _number(table, "volume_ml"), _number(table, "volume_ratio")
    low, high = _bounds(table, VOLUMES)
    implausible = (volume < low) | (volume > high)
    unlike = ((ratio < VOLUME_RATIO[0]) | (ratio > VOLUME_RATIO[1])) & ~implausible
    ranges = ", ".join(f"{region} {a:g} to {b:g} ml" for region, (a, b) in VOLUMES.items())
    return [
        _Rule(
            "RV323", "warning", implausible,
            f"whose volume no whole single vertebra has (taken as possible: {ranges})",
            "look at the mask: a fragment, two vertebrae in one label, or a wrong voxel size",
        ),
        _Rule(
            "RV323", "note", unlike,
            f"whose volume is less than {VOLUME_RATIO[0]:g} or more than {VOLUME_RATIO[1]:g} times that of "
            "their neighbours",
            "look at the mask; a severe collapse may be the reason",
        ),
    ]  # fmt: skip


def _scan_findings(table: pd.DataFrame) -> Iterator[Finding]:
    """Return findings that hold for all vertebrae of a scan; the scan stands for them."""
    scans = table.drop_duplicates("scan_id")
    spacing = scans[["spacing_x", "spacing_y", "spacing_z"]].max(axis="columns")
    ct = _number(scans, "hardware_share").notna()
    not_hu = (scans["image_minimum"] > HU_RANGE[0]) | (scans["image_maximum"] < HU_RANGE[1])
    rules: tuple[tuple[str, Severity, pd.Series, str, str], ...] = (
        (
            "RV325", "warning", ct & not_hu,
            f"of CT without values below {HU_RANGE[0]:g} or above {HU_RANGE[1]:g}: probably not in HU",
            "export the image again with rescale slope and intercept, or correct its sequence",
        ),
        (
            "RV326", "note", _number(scans, "obliquity_degrees") > MOST_OBLIQUE,
            f"tilted by more than {MOST_OBLIQUE:g} degrees against the axes of the patient",
            "nothing to do for features in 3-D; look twice at left and right in the pictures",
        ),
        (
            "RV327", "warning", spacing > THICKEST_SLICE,
            f"with slices more than {THICKEST_SLICE:g} mm apart: shape and 3-D texture say little",
            "measure in 2-D (force2D), or use thinner slices",
        ),
    )  # fmt: skip
    for code, severity, concerned, told, remedy in rules:
        ids = tuple(scans.loc[concerned.fillna(False).astype(bool), "scan_id"].astype(str))
        if ids:
            yield Finding(code, severity, f"{count(len(ids), 'scan')} {told}", remedy, ids)


def with_outliers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the quality measures with robust z scores within sequence and level region.

    Parameters
    ----------
    table : DataFrame
        What :func:`radiomics_vert.extraction.measure_quality` returned.

    Returns
    -------
    DataFrame
        With the columns `region` and `z_<measure>`: 0.6745 (x - median) / median absolute deviation
        (Iglewicz & Hoaglin 1993); volumes as logarithms. NaN in groups of fewer than 8, or without spread.
    """
    scored = table.copy()
    scored["region"] = [_region(level) for level in blanks_filled(table)["level"]]
    groups = [scored["sequence"], scored["region"]]
    for name in JUDGED:
        values = _number(scored, name)
        values = np.log(values.where(values > 0)) if name == "volume_ml" else values
        scored[f"z_{name}"] = values.groupby(groups, dropna=False).transform(_robust_z)
    return scored


def _robust_z(values: pd.Series) -> pd.Series:
    away = values - values.median()
    spread = away.abs().median()
    if values.notna().sum() < SMALLEST_GROUP or not spread > 0:
        return away * np.nan
    return 0.6745 * away / spread


def _outlier_findings(table: pd.DataFrame) -> Iterator[Finding]:
    scored = with_outliers(table)
    words = {"volume_ml": "volume", "intensity_median": "median", "intensity_iqr": "spread of grey values"}
    for name in JUDGED:
        outlying = scored.loc[scored[f"z_{name}"].abs() > OUTLYING, "case_id"].astype(str)
        if len(outlying):
            yield Finding(
                "RV328",
                "note",
                f"{vertebrae(len(outlying))} whose {words[name]} lies far from that of others of the same "
                f"sequence and region (robust z beyond {OUTLYING:g})",
                "look at their pictures; disease is a good reason, a wrong mask is not",
                tuple(outlying),
            )


def verdicts(cohort: Cohort, findings: Sequence[Finding]) -> pd.DataFrame:
    """Return for each scan whether it is ready, and why not.

    Parameters
    ----------
    cohort : Cohort
        Whose scans are judged; refused ones included.
    findings : sequence of Finding
        Of :func:`radiomics_vert.check_cohort` and :func:`check_quality`; notes do not count.

    Returns
    -------
    DataFrame
        `scan_id, verdict, vertebrae, unusable, codes, why`, in the order of the cohort, refused scans
        last. `unusable` counts the vertebrae with an error. A scan of which no vertebra is usable, or
        that no parameter file covers, is refused.
    """
    cases = _cases(cohort)
    owners = _owners(cohort)
    reasons: dict[str, dict[str, str]] = {scan_id: {} for scan_id in cases}
    lost: dict[str, set[str]] = {scan_id: set() for scan_id in cases}
    for finding in findings:
        for name in finding.cases if finding.severity != "note" else ():
            scan_id = owners.get(name)
            if scan_id is not None:
                reasons[scan_id][finding.code] = finding.title
                if finding.severity == "error":
                    lost[scan_id] |= set(cases[scan_id]) if name == scan_id else {name}
    rows = [_verdict(scan_id, cases[scan_id], reasons[scan_id], lost[scan_id]) for scan_id in cases]
    rows += [
        {
            "scan_id": refusal.case_id,
            "verdict": "refused",
            "vertebrae": 0,
            "unusable": 0,
            "codes": refusal.problem.code,
            "why": f"{refusal.problem.title}: {refusal.problem.found}",
        }
        for refusal in cohort.refused
        if refusal.label == 0
    ]
    return pd.DataFrame(rows, columns=["scan_id", "verdict", "vertebrae", "unusable", "codes", "why"])


def _verdict(
    scan_id: str, cases: Sequence[str], reasons: Mapping[str, str], lost: set[str]
) -> dict[str, object]:
    unusable = len(lost & set(cases))
    verdict = VERDICTS[2] if cases and unusable == len(cases) else VERDICTS[1] if reasons else VERDICTS[0]
    return {
        "scan_id": scan_id,
        "verdict": verdict,
        "vertebrae": len(cases),
        "unusable": unusable,
        "codes": ", ".join(sorted(reasons)),
        "why": "; ".join(reasons[code] for code in sorted(reasons)),
    }


def _cases(cohort: Cohort) -> dict[str, list[str]]:
    """Return the case ids of each scan."""
    found: dict[str, list[str]] = {scan.scan_id: [] for scan in cohort.scans}
    for case in cohort.cases:
        found[case.scan.scan_id].append(case.case_id)
    return found


def _owners(cohort: Cohort) -> dict[str, str]:
    """Return the scan that a case id or a scan id of a finding belongs to."""
    scans = {scan.scan_id: scan.scan_id for scan in cohort.scans}
    owners = scans | {case.case_id: case.scan.scan_id for case in cohort.cases}
    for refusal in cohort.refused:  # a single vertebra of a usable scan
        owner = refusal.case_id.rpartition("_")[0]
        if refusal.label and owner in scans:
            owners[refusal.case_id] = owner
    return owners


def _bounds(table: pd.DataFrame, ranges: Mapping[str, tuple[float, float]]) -> tuple[pd.Series, pd.Series]:
    """Return the range of each row's level region; for vertebrae without a level the widest one."""
    lowest, highest = (f(pair[k] for pair in ranges.values()) for k, f in enumerate((min, max)))
    known = {**ranges, "": (lowest, highest)}
    found = [known.get(_region(level), (np.nan, np.nan)) for level in blanks_filled(table)["level"]]
    frame = pd.DataFrame(found, columns=["low", "high"], index=table.index)
    return frame["low"], frame["high"]


def _region(level: object) -> str:
    return Level.parse(str(level)).region if level else ""


def _number(table: pd.DataFrame, name: str) -> pd.Series:
    return pd.to_numeric(table[name], errors="coerce")
