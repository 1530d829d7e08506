"""What tissues look like on CT, and what its scanners add; `mri` does the same for MRI."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy import ndimage

from radiomics_vert.synthetic.nouns import Patient, Vertebra
from radiomics_vert.synthetic.scene import (
    AIR,
    CORD,
    CSF,
    DISC,
    FAT,
    MUSCLE,
    NECROSIS,
    SOFT,
    TISSUES,
    VESSEL,
)
from radiomics_vert.synthetic.shapes import Field

# Spacing (mm), noise and kernel of three sites; all [O], within what spine scans use. Site A reconstructs
# thin slices: coarser ones show neither the direction of trabeculae nor the edges of fracture lines.
_CT_SITES = {
    "A": ((0.98, 0.98, 1.0), 18.0, 0.75),
    "B": ((0.94, 0.94, 2.0), 24.0, 0.60),
    "C": ((1.05, 1.05, 1.8), 30.0, 0.50),
}


_SLAB = 24  # slices that are acquired at a time


@dataclass(frozen=True)
class BoneSample:
    """Points inside one vertebra and what is there; arrays of one shape, coverages from 0 to 1.

    Parameters
    ----------
    vertebra : Vertebra
        Gives densities and signals.
    texture, marrow : ndarray of float32
        Standard-normal random fields.
    cortex, sclerosis, lytic, blastic, dark, line, band, fluid, gas : ndarray of float32
        Coverages.
    """

    vertebra: Vertebra
    texture: Field
    marrow: Field
    cortex: Field
    sclerosis: Field
    lytic: Field
    blastic: Field
    dark: Field
    line: Field
    band: Field
    fluid: Field
    gas: Field


class Modality(Protocol):
    """What rendering needs to know about a sequence."""

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size along i, j, k in mm."""
        ...

    @property
    def refine(self) -> int:
        """Odd number of thin slices that are averaged to one."""
        ...

    @property
    def axes(self) -> np.ndarray:
        """World directions of i, j, k as columns, shape (3, 3), before the patient's tilt."""
        ...

    def soft(self) -> Field:
        """Return the signal of each soft tissue, by tissue code."""
        ...

    def bone(self, sample: BoneSample) -> Field:
        """Return the signal of points in bone."""
        ...

    def acquire(self, signal: Field, rng: np.random.Generator) -> np.ndarray:
        """Return the scanner's 16-bit image of a noiseless signal."""
        ...


def mix(base: Field | float, other: Field | float, share: Field) -> Field:
    """Return `base` with `share` of it replaced by `other`."""
    return np.asarray(base + (other - base) * share, np.float32)


@dataclass(frozen=True)
class CT:
    """Computed tomography in Hounsfield units, axial slices.

    Parameters
    ----------
    patient : Patient
        Gives site and contrast phase.
    """

    patient: Patient
    refine: int = 1
    axes: np.ndarray = field(default_factory=lambda: np.eye(3))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Of the patient's site, mm."""
        return _CT_SITES[self.patient.site][0]

    @property
    def facts(self) -> dict[str, object]:
        """Columns of `images.csv`."""
        return {"kvp": 120, "contrast": self.patient.contrast, "slice_thickness": self.spacing[2]}

    @property
    def _portal(self) -> bool:
        return self.patient.contrast == "portal"

    def soft(self) -> Field:
        """Return HU by tissue code [O]."""
        table = np.zeros(TISSUES, np.float32)
        table[[FAT, MUSCLE, CSF, CORD, DISC, AIR, NECROSIS]] = (-100, 55, 15, 35, 85, -1000, 30)
        table[[VESSEL, SOFT]] = (150, 75) if self._portal else (45, 50)
        return table

    def bone(self, sample: BoneSample) -> Field:
        """Return HU: trabecular texture, then impaction, lesions, line, cortex and clefts over it."""
        vertebra = sample.vertebra
        # 14.75 HU: what TotalSegmentator's spine report adds for the portal phase (row 1).
        base = vertebra.trabecular_hu + (14.75 if self._portal else 0.0)
        value = base + vertebra.texture_hu * sample.texture + vertebra.sclerosis_hu * sample.sclerosis
        # Soft tissue in place of bone; a metastasis keeps remnants of trabeculae. [O]
        tumour = (70.0 if self._portal else 45.0) + 0.35 * vertebra.texture_hu * sample.texture
        value = mix(value, tumour, sample.lytic)
        value = mix(value, base + 260.0 + 60.0 * sample.marrow, sample.blastic)
        # Impacted trabeculae, half as many where tumour took them; fluid in a cleft holds blood. All HU [O].
        value = value + 170.0 * sample.line * (1 - 0.5 * sample.lytic)
        value = mix(value, 45.0, sample.fluid)
        value = mix(value, vertebra.cortex_hu, sample.cortex)
        return mix(value, -600.0, sample.gas)

    def acquire(self, signal: Field, rng: np.random.Generator) -> np.ndarray:
        """Blur with the site's kernel and add correlated noise; 16-bit HU."""
        # A few slices at a time, so that a whole trunk does not need gigabytes.
        image = np.empty(signal.shape, np.int16)
        for start in range(0, len(signal), _SLAB):
            slab = slice(start, start + _SLAB)
            value = self._blurred(signal[slab]) + self._noise(signal[slab].shape, rng)
            image[slab] = np.clip(np.rint(value), -1024, 3071)
        return image

    def _blurred(self, signal: Field) -> Field:
        return np.asarray(ndimage.gaussian_filter(signal, (0.0, 0.5, 0.5), truncate=3.0), np.float32)

    def _noise(self, shape: tuple[int, ...], rng: np.random.Generator) -> Field:
        _, noise, width = _CT_SITES[self.patient.site]
        white = rng.standard_normal(shape, np.float32)
        grain = ndimage.gaussian_filter(white, (0.0, width, width), truncate=3.0)
        return np.asarray(grain * (noise / grain.std()), np.float32)
