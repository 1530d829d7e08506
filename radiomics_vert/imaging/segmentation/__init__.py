"""Masks of every kind: label maps, DICOM-SEG, RTSTRUCT, Slicer segmentations, one file per vertebra."""

from radiomics_vert.imaging.segmentation.merging import Overlap, merge_masks
from radiomics_vert.imaging.segmentation.nouns import Code, Remark, Segment, Segmentation, SegmentMask
from radiomics_vert.imaging.segmentation.reading import (
    DEFAULT_THRESHOLD,
    ImageReference,
    image_reference,
    is_dicom_mask,
    read_segmentation,
)

__all__ = [
    "DEFAULT_THRESHOLD",
    "Code",
    "ImageReference",
    "Overlap",
    "Remark",
    "Segment",
    "SegmentMask",
    "Segmentation",
    "image_reference",
    "is_dicom_mask",
    "merge_masks",
    "read_segmentation",
]
