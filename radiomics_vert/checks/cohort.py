"""What can be seen in a cohort before any feature is computed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from radiomics_vert.checks.findings import Finding, Severity
from radiomics_vert.cohort import Cohort, Refusal, duplicate_images
from radiomics_vert.phrases import count, vertebrae
from radiomics_vert.storage import blanks_filled

# [O] Below this a vertebra is a fragment: a T1 body of a small adult fills about 10 000 mm3, which is
# more than 1000 voxels at every clinical spacing that we know of.
FRAGMENT_VOXELS = 500


# What a reader of masks decided: severity and what to do about it.
_REMARKS: dict[str, tuple[Severity, str]] = {
    "RV223": ("warning", "mend or remove the sidecar; without it the acquisition is not audited"),
    "RV231": ("warning", "look at the outlines where the two vertebrae meet"),
    "RV232": ("note", "nothing to do, unless a vertebra is among them: then give its pattern as the scheme"),
    "RV233": ("note", "report the threshold; the column `threshold` sets another"),
    "RV234": ("warning", "look at the region on the image; outline it on the slices of this image"),
    "RV235": ("warning", "check that the scheme is that of the tool that made the mask"),
}


def check_cohort(cohort: Cohort, sequences: Collection[str] | None = None) -> list[Finding]:
    """Check images, masks and tables against each other.

    Parameters
    ----------
    cohort : Cohort
        What :func:`radiomics_vert.read_cohort` returned.
    sequences : collection of str, optional
        Sequences that have a parameter file; others are reported.

    Returns
    -------
    list of Finding
        Refused scans, duplicates, unmatched clinical rows, unlabelled vertebrae, fragments, vertebrae
        at the border of the image or in several pieces, and what was decided while masks were read.
    """
    return [
        *_refused(cohort),
        *_without_parameters(cohort, sequences),
        *_duplicates(cohort),
        *_clinical(cohort),
        *_shapes(cohort),
        *_masks(cohort),
    ]


def _refused(cohort: Cohort) -> Iterator[Finding]:
    groups: dict[tuple[str, str], list[Refusal]] = defaultdict(list)
    for refusal in cohort.refused:
        groups[refusal.problem.code, refusal.problem.remedy].append(refusal)
    for (code, remedy), refusals in groups.items():
        problems = [refusal.problem for refusal in refusals]
        found = f"{problems[0].found} (expected {problems[0].expected}; {problems[0].where})"
        if len(problems) > 1:
            every = "; ".join(dict.fromkeys(f"{one.found} ({one.where})" for one in problems))
            found = f"{len(problems)} cannot be used, expected {problems[0].expected}: {every}"
        yield Finding(code, "error", found, remedy, tuple(refusal.case_id for refusal in refusals))


def _without_parameters(cohort: Cohort, sequences: Collection[str] | None) -> Iterator[Finding]:
    if sequences is None:
        return
    lost = [scan for scan in cohort.scans if scan.sequence not in sequences]
    for sequence in dict.fromkeys(scan.sequence for scan in lost):
        yield Finding(
            "RV114",
            "error",
            f"the sequence {sequence} has no parameter file; there are some for {', '.join(sequences)}",
            f"add `{sequence}: ...` under extraction.parameters, or correct the sequence in the image table",
            tuple(scan.scan_id for scan in lost if scan.sequence == sequence),
        )


def _duplicates(cohort: Cohort) -> Iterator[Finding]:
    table = duplicate_images(cohort)
    if table.empty:
        return
    for _, group in table.groupby("digest", sort=False):
        yield Finding(
            "RV208",
            "warning",
            f"{len(group)} scans hold the same {group['file'].iloc[0]} (equal sha256); the same patient "
            "under two ids would end up in training and test",
            "keep one of them, or give both the same subject_id",
            tuple(group["scan_id"]),
        )


def _clinical(cohort: Cohort) -> Iterator[Finding]:
    if len(cohort.unmatched_clinical):
        rows = blanks_filled(cohort.unmatched_clinical)
        level = rows["level"] if "level" in rows else [""] * len(rows)
        named = zip(rows["line"], rows["subject_id"], level, strict=True)
        yield Finding(
            "RV109",
            "warning",
            f"{count(len(rows), 'clinical row')} without a vertebra in any usable mask; not analysed",
            "check subject ids and levels, and whether the mask covers the level",
            tuple(f"line {line}: {subject} {where}".strip() for line, subject, where in named),
        )
    if cohort.unlabelled:
        yield Finding(
            "RV110",
            "note",
            f"{vertebrae(len(cohort.unlabelled))} in the masks without a clinical row of the same level",
            "nothing to do if these are the unfractured neighbours",
            cohort.unlabelled,
        )


def _shapes(cohort: Cohort) -> Iterator[Finding]:
    fragments = tuple(case.case_id for case in cohort.cases if case.voxels < FRAGMENT_VOXELS)
    border = tuple(case.case_id for case in cohort.cases if case.touches_border)
    pieces = tuple(case.case_id for case in cohort.cases if case.components > 1)
    if fragments:
        yield Finding(
            "RV301",
            "warning",
            f"{vertebrae(len(fragments))} with fewer than {FRAGMENT_VOXELS} voxels: "
            "fragments at the edge of the scan, or stray labels",
            "look at the mask; leave the vertebra out if most of it is missing",
            fragments,
        )
    if border:
        yield Finding(
            "RV306",
            "warning",
            f"{vertebrae(len(border))} at the border of the image: a part may be missing",
            "leave them out of shape features, or use a scan that covers them",
            border,
        )
    if pieces:
        yield Finding(
            "RV307",
            "note",
            f"{vertebrae(len(pieces))} in several pieces",
            "look at the masks: stray voxels of a label change shape features",
            pieces,
        )


def _masks(cohort: Cohort) -> Iterator[Finding]:
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for scan in cohort.scans:
        for remark in scan.remarks:
            groups[remark.code].append((scan.scan_id, remark.text))
    for code, remarks in sorted(groups.items()):
        severity, remedy = _REMARKS[code]
        texts = list(dict.fromkeys(text for _, text in remarks))
        found = texts[0] if len(texts) == 1 else f"{count(len(texts), 'remark')}; the first: {texts[0]}"
        yield Finding(code, severity, found, remedy, tuple(dict.fromkeys(scan for scan, _ in remarks)))
