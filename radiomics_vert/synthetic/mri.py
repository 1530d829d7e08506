"""What tissues look like on sagittal MRI, and what its scanners add.

All sequences of a patient have one grid, one gain and one shading: the patient lies in the scanner once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from radiomics_vert.synthetic.modalities import CT, BoneSample, mix
from radiomics_vert.synthetic.nouns import Patient
from radiomics_vert.synthetic.scene import CORD, CSF, DISC, FAT, MUSCLE, NECROSIS, SOFT, TISSUES, VESSEL
from radiomics_vert.synthetic.shapes import Field

# Spacing (mm) and gain of three sites; all [O], within what spine scans use.
_SITES = {
    "A": ((0.90, 0.90, 4.0), 1.00),
    "B": ((0.86, 0.86, 4.0), 1.60),
    "C": ((0.98, 0.98, 4.4), 0.70),
}


@dataclass(frozen=True)
class T1:
    """Sagittal T1-weighted spin echo; muscle is 300 times the scanner's gain.

    Parameters
    ----------
    patient : Patient
        Gives the site.
    gain : float
        Scale of the scanner on that day.
    slope : float
        Of the logarithm of the coil's sensitivity, from the middle to the back.
    """

    patient: Patient
    gain: float = 1.0
    slope: float = 0.15
    refine: int = 3
    # i runs to the back, j to the feet, k to the right.
    axes: np.ndarray = field(
        default_factory=lambda: np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    )

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Of the patient's site, mm."""
        return _SITES[self.patient.site][0]

    @property
    def facts(self) -> dict[str, object]:
        """Columns of `images.csv`."""
        return {"kvp": "", "contrast": "none", "slice_thickness": self.spacing[2]}

    def soft(self) -> Field:
        """Return signals relative to muscle by tissue code [O]."""
        table = np.zeros(TISSUES, np.float32)
        table[[FAT, MUSCLE, VESSEL, CSF, CORD, DISC]] = (2.9, 1.0, 0.35, 0.55, 1.1, 1.0)
        table[[SOFT, NECROSIS]] = (1.08, 0.95)
        return table

    def bone(self, sample: BoneSample) -> Field:
        """Return signals relative to muscle: fatty marrow, then what replaces it."""
        vertebra = sample.vertebra
        value = vertebra.marrow_t1 + 0.16 * sample.marrow - 0.03 * sample.texture
        value = value - 0.002 * vertebra.sclerosis_hu * sample.sclerosis
        value = mix(value, vertebra.t1_ratio + 0.07 * sample.marrow, sample.dark)
        value = mix(value, 0.75, sample.blastic)
        # Impacted trabeculae hold little marrow. [O]
        value = value * (1 - 0.45 * sample.band)
        value = mix(value, 0.6, sample.fluid)
        value = mix(value, 0.3, 0.8 * sample.cortex)
        return mix(value, 0.1, sample.gas)

    def acquire(self, signal: Field, rng: np.random.Generator) -> np.ndarray:
        """Blur, shade by the surface coil, add Rician noise, scale by the gain; 16 bit."""
        value = ndimage.gaussian_filter(signal, (0.0, 0.55, 0.55), truncate=3.0)
        value *= np.exp(self.slope * np.linspace(-1, 1, value.shape[2], dtype=np.float32))
        real, imaginary = (0.06 * rng.standard_normal(value.shape, np.float32) for _ in range(2))
        magnitude = np.sqrt((value + real) ** 2 + imaginary**2)
        return np.asarray(np.clip(np.rint(300 * self.gain * magnitude), 0, 32767), np.int16)


@dataclass(frozen=True)
class Contrast(T1):
    """The same after contrast medium."""

    @property
    def facts(self) -> dict[str, object]:
        """Columns of `images.csv`."""
        return {**super().facts, "contrast": "gadolinium"}

    def soft(self) -> Field:
        """Return signals relative to muscle before contrast, by tissue code [O]."""
        gain = np.zeros(TISSUES, np.float32)
        gain[[FAT, MUSCLE, VESSEL, CORD, DISC, SOFT]] = (0.03, 0.15, 5.0, 0.02, 0.03, 0.70)
        return np.asarray(super().soft() * (1 + gain))

    def bone(self, sample: BoneSample) -> Field:
        """Return the signal with the vertebra's enhancement, uneven as far as its truth says."""
        vertebra = sample.vertebra
        uneven = 1 + vertebra.enhancement_spread * sample.marrow
        # Cortex and gas do not enhance.
        gain = vertebra.enhancement * uneven * (1 - sample.cortex) * (1 - sample.gas)
        return np.asarray(super().bone(sample) * (1 + np.maximum(gain, 0.0)), np.float32)


@dataclass(frozen=True)
class STIR(T1):
    """Sagittal short-tau inversion recovery; normal marrow is 300 times the scanner's gain."""

    def soft(self) -> Field:
        """Return signals relative to normal marrow by tissue code [O]."""
        table = np.zeros(TISSUES, np.float32)
        table[[FAT, MUSCLE, VESSEL, CSF, CORD, DISC]] = (0.5, 1.2, 0.8, 5.5, 2.4, 1.8)
        table[[SOFT, NECROSIS]] = (2.6, 3.4)
        return table

    def bone(self, sample: BoneSample) -> Field:
        """Return signals relative to normal marrow: edema or tumour is brighter, fluid as bright as CSF."""
        value = 1.0 - 0.08 * sample.marrow
        value = mix(value, sample.vertebra.stir_ratio + 0.12 * sample.marrow, sample.dark)
        value = mix(value, 0.7, sample.blastic)
        value = value * (1 - 0.45 * sample.band)
        value = mix(value, 5.5, sample.fluid)
        value = mix(value, 0.3, 0.8 * sample.cortex)
        return mix(value, 0.1, sample.gas)


def modality(sequence: str, patient: Patient, rng: np.random.Generator) -> CT | T1:
    """Return the scanner of one sequence for one patient.

    Parameters
    ----------
    sequence : {"CT", "T1", "STIR", "T1_CONTRAST"}
        What is acquired.
    patient : Patient
        Gives site and contrast.
    rng : numpy.random.Generator
        Draws the gain of the day and the shading of the coil.

    Returns
    -------
    CT, T1, STIR or Contrast
        Ready to render.
    """
    if sequence == "CT":
        return CT(patient)
    # The gain of a site, and of the day: signals have no unit. The coil lies under the back: brighter there,
    # by up to a fifth on either side of the middle. [O]
    gain = _SITES[patient.site][1] * float(np.exp(rng.normal(0.0, 0.12)))
    kind = {"T1": T1, "STIR": STIR, "T1_CONTRAST": Contrast}[sequence]
    return kind(patient, gain, float(rng.uniform(0.1, 0.2)))
