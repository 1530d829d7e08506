from .comparison import require_same_geometry
from .containers import file_digest, files_read, require_complete
from .dicom import Series, acquisition_facts, choose_series, list_series
from .geometry import TOLERANCE_VOXELS, Geometry
from .perturbation import DEFAULT_PERTURBATIONS, Perturbation, perturb
from .reading import read_geometry, read_image, read_label_map, require_finite
from .regions import Region, label_regions, present_labels, used_box
from .segmentation import (
    DEFAULT_THRESHOLD,
    Overlap,
    Remark,
    Segment,
    Segmentation,
    image_reference,
    merge_masks,
    read_segmentation,
)
from .volumes import Image, LabelMap

__all__ = [
    "DEFAULT_PERTURBATIONS",
    "DEFAULT_THRESHOLD",
    "TOLERANCE_VOXELS",
    "Geometry",
    "Image",
    "LabelMap",
    "Overlap",
    "Perturbation",
    "Region",
    "Remark",
    "Segment",
    "Segmentation",
    "Series",
    "acquisition_facts",
    "choose_series",
    "file_digest",
    "files_read",
    "image_reference",
    "label_regions",
    "list_series",
    "merge_masks",
    "perturb",
    "present_labels",
    "read_geometry",
    "read_image",
    "read_label_map",
    "read_segmentation",
    "require_complete",
    "require_finite",
    "require_same_geometry",
    "used_box",
]
