"""Voxels and geometry: read, check, compare, and find the labels of a mask."""

from radiomics_vert.imaging.comparison import require_same_geometry
from radiomics_vert.imaging.containers import file_digest, require_complete
from radiomics_vert.imaging.geometry import TOLERANCE_VOXELS, Geometry
from radiomics_vert.imaging.perturbation import DEFAULT_PERTURBATIONS, Perturbation, perturb
from radiomics_vert.imaging.reading import read_geometry, read_image, read_label_map, require_finite
from radiomics_vert.imaging.regions import Region, label_regions, present_labels
from radiomics_vert.imaging.volumes import Image, LabelMap

__all__ = [
    "DEFAULT_PERTURBATIONS",
    "TOLERANCE_VOXELS",
    "Geometry",
    "Image",
    "LabelMap",
    "Perturbation",
    "Region",
    "file_digest",
    "label_regions",
    "perturb",
    "present_labels",
    "read_geometry",
    "read_image",
    "read_label_map",
    "require_complete",
    "require_finite",
    "require_same_geometry",
]
