"""What tissues look like on CT and on T1-weighted MRI, and what the scanners add."""

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
    SOFT,
    VESSEL,
)
from radiomics_vert.synthetic.shapes import Field

# Spacing (mm), noise and kernel or gain of three sites; all [O], within what spine scans use.
_CT_SITES = {
    "A": ((0.98, 0.98, 2.0), 18.0, 0.75),
    "B": ((0.94, 0.94, 2.0), 24.0, 0.60),
    "C": ((1.05, 1.05, 1.8), 30.0, 0.50),
}
_T1_SITES = {
    "A": ((0.90, 0.90, 4.0), 1.00),
    "B": ((0.86, 0.86, 4.0), 1.60),
    "C": ((0.98, 0.98, 4.4), 0.70),
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
    cortex, sclerosis, lytic, blastic, dark, gas : ndarray of float32
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
        table = np.zeros(8, np.float32)
        table[[FAT, MUSCLE, CSF, CORD, DISC, AIR]] = (-100, 55, 15, 35, 85, -1000)
        table[[VESSEL, SOFT]] = (150, 75) if self._portal else (45, 50)
        return table

    def bone(self, sample: BoneSample) -> Field:
        """Return HU: trabecular texture, then impaction, lesions, cortex and gas over it."""
        vertebra = sample.vertebra
        # 14.75 HU: what TotalSegmentator's spine report adds for the portal phase (row 1).
        base = vertebra.trabecular_hu + (14.75 if self._portal else 0.0)
        value = base + vertebra.texture_hu * sample.texture + vertebra.sclerosis_hu * sample.sclerosis
        # Soft tissue in place of bone; a metastasis keeps remnants of trabeculae. [O]
        tumour = (70.0 if self._portal else 45.0) + 0.35 * vertebra.texture_hu * sample.texture
        value = mix(value, tumour, sample.lytic)
        value = mix(value, base + 260.0 + 60.0 * sample.marrow, sample.blastic)
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


@dataclass(frozen=True)
class T1:
    """Sagittal T1-weighted spin echo; muscle is 300 times the scanner's gain.

    Parameters
    ----------
    patient : Patient
        Gives the site.
    gain : float
        Scale of the scanner on that day.
    """

    patient: Patient
    gain: float = 1.0
    refine: int = 3
    # i runs to the back, j to the feet, k to the right.
    axes: np.ndarray = field(
        default_factory=lambda: np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    )

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Of the patient's site, mm."""
        return _T1_SITES[self.patient.site][0]

    @property
    def facts(self) -> dict[str, object]:
        """Columns of `images.csv`."""
        return {"kvp": "", "contrast": "none", "slice_thickness": self.spacing[2]}

    def soft(self) -> Field:
        """Return signals relative to muscle by tissue code [O]."""
        table = np.zeros(8, np.float32)
        table[[FAT, MUSCLE, VESSEL, CSF, CORD, DISC, SOFT]] = (2.9, 1.0, 0.35, 0.55, 1.1, 1.0, 1.08)
        return table

    def bone(self, sample: BoneSample) -> Field:
        """Return signals relative to muscle: fatty marrow, then what replaces it."""
        vertebra = sample.vertebra
        value = vertebra.marrow_t1 + 0.16 * sample.marrow - 0.03 * sample.texture
        value = value - 0.002 * vertebra.sclerosis_hu * sample.sclerosis
        value = mix(value, vertebra.t1_ratio + 0.07 * sample.marrow, sample.dark)
        value = mix(value, 0.75, sample.blastic)
        value = mix(value, 0.3, 0.8 * sample.cortex)
        return mix(value, 0.1, sample.gas)

    def acquire(self, signal: Field, rng: np.random.Generator) -> np.ndarray:
        """Blur, shade by the surface coil, add Rician noise, scale by the gain; 16 bit."""
        value = ndimage.gaussian_filter(signal, (0.0, 0.55, 0.55), truncate=3.0)
        # The coil lies under the back: brighter there, by up to a fifth on either side of the middle. [O]
        slope = float(rng.uniform(0.1, 0.2))
        value *= np.exp(slope * np.linspace(-1, 1, value.shape[2], dtype=np.float32))
        real, imaginary = (0.06 * rng.standard_normal(value.shape, np.float32) for _ in range(2))
        magnitude = np.sqrt((value + real) ** 2 + imaginary**2)
        return np.asarray(np.clip(np.rint(300 * self.gain * magnitude), 0, 32767), np.int16)


def modality(sequence: str, patient: Patient, rng: np.random.Generator) -> CT | T1:
    """Return the scanner of one sequence for one patient.

    Parameters
    ----------
    sequence : {"CT", "T1"}
        What is acquired.
    patient : Patient
        Gives site and contrast.
    rng : numpy.random.Generator
        Draws the gain of the day.

    Returns
    -------
    CT or T1
        Ready to render.
    """
    if sequence == "CT":
        return CT(patient)
    # The gain of a site, and of the day: T1 signals have no unit. [O]
    return T1(patient, _T1_SITES[patient.site][1] * float(np.exp(rng.normal(0.0, 0.12))))
