"""Folders as TotalSegmentator leaves them: one file per structure, or one multi-label file per image."""

from __future__ import annotations

from pathlib import Path

from radiomics_vert.cohort.discovery.nouns import (
    Discovery,
    Row,
    image_files,
    require_folder,
    stem,
    without_repeats,
)

PER_VERTEBRA = "vertebrae_*.nii.gz"
_SEQUENCES = {"ct": "CT", "mri": "MR", "mr": "MR"}


def discover_totalsegmentator(
    root: str | Path,
    images: str | Path | None = None,
    *,
    sequence: str | None = None,
    scheme: str | None = None,
) -> Discovery:
    """Build an image table from a folder that TotalSegmentator wrote.

    Two forms are understood. Files per vertebra: `<case>/segmentations/vertebrae_L1.nii.gz` (or the files
    in `<case>` itself), the image being `<case>/ct.nii.gz` or `<images>/<case>.nii.gz`. Multi-label files:
    `<case>.nii.gz` below `root`, and an image of the same name below `images`.

    Parameters
    ----------
    root : str or Path
        The output of TotalSegmentator.
    images : str or Path, optional
        The folder of the images, where they are not beside the masks.
    sequence : str, optional
        Of all images; by default `ct.nii.gz` is CT and `mri.nii.gz` MR, any other image CT.
    scheme : str, optional
        Label scheme of multi-label files, `totalsegmentator` by default. Single files name their vertebra.

    Returns
    -------
    Discovery
        The subject is the name of the case's folder or file.

    Raises
    ------
    CohortError
        RV101 no such folder.
    """
    root = Path(root)
    require_folder(root)
    elsewhere = Path(images) if images else None
    if elsewhere:
        require_folder(elsewhere)
    left_out: dict[Path, str] = {}
    folders = sorted({path.parent for path in root.rglob(PER_VERTEBRA)})
    if folders:
        rows = [row for folder in folders if (row := _of_folder(folder, elsewhere, sequence, left_out))]
        return Discovery(without_repeats(rows, left_out), left_out, "names")
    rows = _of_files(root, elsewhere, sequence, left_out)
    return Discovery(without_repeats(rows, left_out), left_out, scheme or "totalsegmentator")


def _of_folder(
    folder: Path, images: Path | None, sequence: str | None, left_out: dict[Path, str]
) -> Row | None:
    case = folder.parent if folder.name.lower() in ("segmentations", "segmentation") else folder
    if images:
        candidates = [path for path in image_files(images) if stem(path) == case.name]
    else:
        candidates = [path for path in image_files(case) if path.parent == case and stem(path) in _SEQUENCES]
    if len(candidates) != 1:
        where = "the folder of images" if images else "the case's folder (ct.nii.gz, mri.nii.gz)"
        left_out[folder] = f"{len(candidates) or 'no'} image{'s' if len(candidates) > 1 else ''} in {where}"
        return None
    image = candidates[0]
    return Row(case.name, sequence or _SEQUENCES.get(stem(image), "CT"), image, folder)


def _of_files(root: Path, images: Path | None, sequence: str | None, left_out: dict[Path, str]) -> list[Row]:
    rows = []
    known = {stem(path): path for path in image_files(images)} if images else {}
    for mask in image_files(root):
        image = known.get(stem(mask)) or known.get(stem(mask).removesuffix("_seg"))
        if image is None:
            left_out[mask] = "no image of the same name; name the folder of images with --images"
            continue
        rows.append(Row(stem(image), sequence or "CT", image, mask))
    used = {row.image for row in rows}
    left_out |= {path: "no mask of the same name" for path in known.values() if path not in used}
    return rows
