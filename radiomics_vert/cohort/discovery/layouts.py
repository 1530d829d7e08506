"""Choose how to read a folder."""

from __future__ import annotations

from pathlib import Path

from radiomics_vert.cohort.discovery.bids import discover_bids
from radiomics_vert.cohort.discovery.nouns import Discovery, require_folder
from radiomics_vert.cohort.discovery.pattern import discover_pattern
from radiomics_vert.cohort.discovery.totalsegmentator import PER_VERTEBRA, discover_totalsegmentator
from radiomics_vert.errors import CohortError, Problem

LAYOUTS = ("bids", "totalsegmentator", "pattern")


def guess_layout(root: Path, image: str | None = None, images: Path | None = None) -> str:
    """Return how a folder is laid out.

    Parameters
    ----------
    root : Path
        The folder.
    image : str, optional
        A pattern of images: the layout is `pattern`.
    images : Path, optional
        A folder of images apart from the masks: the layout is `totalsegmentator`.

    Raises
    ------
    CohortError
        RV101 no such folder; RV602 it is none of those known here.
    """
    require_folder(root)
    if image:
        return "pattern"
    if images or next(root.rglob(PER_VERTEBRA), None):
        return "totalsegmentator"
    if (root / "dataset_description.json").is_file() or next(root.rglob("sub-*"), None):
        return "bids"
    raise CohortError(
        Problem(
            "RV602",
            "a BIDS dataset (sub-*), a TotalSegmentator output (vertebrae_*.nii.gz), or a pattern",
            "a folder with neither",
            str(root),
            "describe the files, such as --image '{subject}/ct.nii.gz' --mask '{subject}/seg.nii.gz'",
        )
    )


def discover(
    root: str | Path,
    *,
    layout: str | None = None,
    scheme: str | None = None,
    image: str | None = None,
    mask: str | None = None,
    subregions: str | None = None,
    images: str | Path | None = None,
    sequence: str | None = None,
    derivatives: str | None = None,
    mask_name: str | None = None,
) -> Discovery:
    """Build an image table from a folder, by its layout.

    Parameters
    ----------
    root : str or Path
        The folder.
    layout : {"bids", "totalsegmentator", "pattern"}, optional
        Found from the folder and the other arguments by default.
    scheme : str, optional
        Label scheme of the masks; needed but for TotalSegmentator folders.
    image, mask, subregions : str, optional
        Patterns, see :func:`discover_pattern`.
    images : str or Path, optional
        See :func:`discover_totalsegmentator`.
    sequence : str, optional
        Of all images, where names do not tell.
    derivatives, mask_name : str, optional
        See :func:`discover_bids`.

    Returns
    -------
    Discovery
        The rows that were found, and every file left out with the reason.

    Raises
    ------
    CohortError
        RV101, RV602; RV107 no label scheme was named.
    """
    chosen = layout or guess_layout(Path(root), image, Path(images) if images else None)
    if chosen not in LAYOUTS:
        remedy = "choose one of them, or leave it out"
        raise CohortError(Problem("RV602", f"one of {', '.join(LAYOUTS)}", repr(chosen), "--layout", remedy))
    if chosen == "totalsegmentator":
        return discover_totalsegmentator(root, images, sequence=sequence, scheme=scheme)
    if not scheme:
        raise CohortError(
            Problem(
                "RV107",
                "the label scheme of the masks",
                "none",
                "--scheme",
                "name the tool that made the masks, such as verse; `radiomics-vert schemes` lists them",
            )
        )
    if chosen == "bids":
        return discover_bids(root, scheme, derivatives=derivatives, mask_name=mask_name)
    if not image or not mask:
        remedy = "give both, such as --image '{subject}/ct.nii.gz' --mask '{subject}/seg.nii.gz'"
        raise CohortError(Problem("RV602", "--image and --mask patterns", "not both", "command line", remedy))
    return discover_pattern(root, image, mask, scheme, subregions=subregions, sequence=sequence)
