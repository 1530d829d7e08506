"""Plain label maps: NIfTI, NRRD and MetaImage, with the names of the NIfTI header where it has some."""

from __future__ import annotations

from pathlib import Path

from radiomics_vert.imaging.comparison import require_same_geometry
from radiomics_vert.imaging.containers import suffix_of
from radiomics_vert.imaging.geometry import Geometry
from radiomics_vert.imaging.reading import read_geometry, read_label_map
from radiomics_vert.imaging.regions import present_labels
from radiomics_vert.imaging.segmentation.label_names import read_label_names
from radiomics_vert.imaging.segmentation.nouns import Segment, Segmentation, SegmentMask


def read_labels(path: Path, grid: Geometry, where: str) -> Segmentation:
    """Read a label map; its segments are the label values that occur.

    Parameters
    ----------
    path : Path
        NIfTI, NRRD or MetaImage.
    grid : Geometry
        The image's; the mask must lie on it.
    where : str
        Image and mask, for the message of a mismatch.

    Raises
    ------
    ImageError
        RV201 another grid; what :func:`read_label_map` raises; RV226 damaged names in the header.
    """
    require_same_geometry(grid, read_geometry(path), where)
    labels = read_label_map(path)
    names = read_label_names(path) if suffix_of(path) in (".nii", ".nii.gz") else {}
    return Segmentation(
        kind="label map",
        source=str(path),
        geometry=labels.geometry,
        segments=tuple(Segment(value, names.get(value, "")) for value in present_labels(labels)),
        numbered=True,
        fetch=lambda number: SegmentMask(labels.array() == number),
        label_map=labels,
    )
