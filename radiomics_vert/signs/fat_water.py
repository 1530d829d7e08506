"""Fat and water: opposed over in-phase signal, fat fraction, and the apparent diffusion coefficient.

The abnormal part of a vertebra is where marrow is darker than the references by two robust standard
deviations: on T1 where that companion is given, else on the in-phase image (T1-weighted as a rule), or on
the fat fraction itself [O]. It consists of foci of 50 mm3 or more; without any, its signs are absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from radiomics_vert.imaging.preprocessing import Spread
from radiomics_vert.signs.components import foci
from radiomics_vert.signs.marrow import expected_marrow, intensities
from radiomics_vert.signs.nouns import Absent, Mask, Value, Vertebra
from radiomics_vert.signs.replacement import NO_REFERENCE, below, few_voxels, signal_ratio
from radiomics_vert.signs.results import Measured
from radiomics_vert.signs.spine import Spine
from radiomics_vert.signs.surfaces import Floats
from radiomics_vert.signs.tissues import LEAST_VOXELS

Image = npt.NDArray[np.floating]

# By the unit of a map: the range in which its values lie, and the factor to the unit of the sign. [O]
_ADC_UNITS = ((5e-5, 5e-3, 1e3), (0.05, 5.0, 1.0), (50.0, 5e3, 1e-3))
_FAT_UNITS = ((0.0, 1.3, 1.0), (1.3, 130.0, 0.01))
_HIGHEST = 99.0  # percentile of a fat fraction map that tells its unit [O]
_FAT = ("ff", "ff_roi", "ff_ratio")


def measure(spine: Spine) -> Measured:
    """Measure chemical shift, fat fraction or diffusion of every vertebra, by the sequence of the scan."""
    image = spine.scan.image
    if image is None:
        return {}
    if spine.sequence == "OPPOSED_PHASE":
        shift, fat = _chemical_shift(spine, image), _from_dixon(spine)
        return {label: {**shift[label], **fat[label]} for label in shift}
    if spine.sequence == "IN_PHASE":
        return _from_dixon(spine)
    if spine.sequence == "FAT_FRACTION":
        return _fat_fraction(spine, image, fat_unit(image))
    return _diffusion(spine, image) if spine.sequence == "ADC" else {}


def _chemical_shift(spine: Spine, opposed: Image) -> Measured:
    whole, part = ("sir", "drop"), ("sir_roi", "drop_roi")
    phase = spine.scan.companions.get("IN_PHASE")
    if phase is None:
        missing = Absent("RV339", "no in-phase image on the same grid")
        return {vertebra.label: dict.fromkeys((*whole, *part), missing) for vertebra in spine.framed()}
    regions = _abnormal(spine, phase, spine.trabecular)
    found: dict[int, dict[str, Value]] = {}
    for vertebra in spine.framed():
        mask, region = spine.trabecular[vertebra.label], regions[vertebra.label]
        found[vertebra.label] = dict(zip(whole, _shift(opposed, phase, vertebra, mask), strict=True)) | dict(
            zip(part, _shift(opposed, phase, vertebra, region), strict=True)
        )
    return found


def _shift(opposed: Image, phase: Image, vertebra: Vertebra, mask: Mask | Absent) -> tuple[Value, Value]:
    """Return the ratio of the median signals, and the drop in per cent."""
    if isinstance(mask, Absent):
        return mask, mask
    if mask.sum() < LEAST_VOXELS:
        return few_voxels(int(mask.sum())), few_voxels(int(mask.sum()))
    ratio = signal_ratio(_median(opposed, vertebra, mask), _median(phase, vertebra, mask))
    return ratio, ratio if isinstance(ratio, Absent) else signal_drop(ratio)


def signal_drop(ratio: float) -> float:
    """Return the drop of signal in opposed phase, per cent, from opposed over in-phase signal.

    Examples
    --------
    >>> round(signal_drop(0.65), 6)
    35.0
    """
    return 100 * (1 - ratio)


def fat_unit(image: Image) -> float | Absent:
    """Return the factor that makes a fat fraction map shares of 1, from the values it holds.

    Up to 1.3 they are shares, up to 130 per cent [O]; noise outside the body goes a little beyond 1.

    Parameters
    ----------
    image : ndarray
        The map.

    Returns
    -------
    float or Absent
        RV344 where the values are neither.
    """
    finite = image[np.isfinite(image)]
    return _unit(float(np.percentile(finite, _HIGHEST)) if finite.size else float("nan"), _FAT_UNITS)


def fat_fraction(fat: npt.ArrayLike, water: npt.ArrayLike) -> Floats:
    """Return fat over fat and water; NaN where there is no signal.

    Parameters
    ----------
    fat, water : array-like
        Images of one Dixon acquisition.

    Examples
    --------
    >>> fat_fraction([30.0, 0.0], [70.0, 0.0]).tolist()
    [0.3, nan]
    """
    part, other = np.asarray(fat, np.float64), np.asarray(water, np.float64)
    total = part + other
    return np.asarray(np.divide(part, total, out=np.full(total.shape, np.nan), where=total > 0))


def _from_dixon(spine: Spine) -> Measured:
    """Measure the fat fraction of in-phase and opposed-phase scans from their fat and water images."""
    fat, water = (spine.scan.companions.get(name) for name in ("FAT", "WATER"))
    if fat is None or water is None:
        missing = Absent("RV339", "no fat and water images on the same grid")
        return {vertebra.label: dict.fromkeys(_FAT, missing) for vertebra in spine.framed()}
    return _fat_fraction(spine, fat_fraction(fat, water), 1.0)


def _fat_fraction(spine: Spine, image: Image, factor: float | Absent) -> Measured:
    if isinstance(factor, Absent):
        return {vertebra.label: dict.fromkeys(_FAT, factor) for vertebra in spine.framed()}
    masks = {v.label: spine.trabecular[v.label] & np.isfinite(image[v.box]) for v in spine.framed()}
    normal = _expected(spine, image, masks)
    regions = _abnormal(spine, image, masks)
    found: dict[int, dict[str, Value]] = {}
    for vertebra in spine.framed():
        label = vertebra.label
        values = intensities(image, vertebra, masks[label])
        if len(values) < LEAST_VOXELS:
            found[label] = dict.fromkeys(_FAT, few_voxels(len(values)))
            continue
        middle, region = float(np.median(values)), regions[label]
        part: Value = region if isinstance(region, Absent) else factor * _median(image, vertebra, region)
        reference = normal[label].centre if label in normal else NO_REFERENCE
        found[label] = {"ff": factor * middle, "ff_roi": part, "ff_ratio": signal_ratio(middle, reference)}
    return found


def _diffusion(spine: Spine, image: Image) -> Measured:
    names = ("adc_med", "adc_p10")
    voxels = {v.label: intensities(image, v, spine.trabecular[v.label]) for v in spine.framed()}
    pooled = np.concatenate([np.zeros(0), *voxels.values()])
    factor = adc_unit(pooled)
    found: dict[int, dict[str, Value]] = {}
    for label, values in voxels.items():
        if isinstance(factor, Absent):
            found[label] = dict.fromkeys(names, factor)
        elif len(values) < LEAST_VOXELS:
            found[label] = dict.fromkeys(names, few_voxels(len(values)))
        else:
            low, middle = np.percentile(values, (10, 50)) * factor
            found[label] = {"adc_med": float(middle), "adc_p10": float(low)}
    return found


def adc_unit(values: Floats) -> float | Absent:
    """Return the factor that makes diffusion coefficients of marrow 10^-3 mm2/s, from their median.

    Maps are stored as mm2/s, 10^-3 or 10^-6 mm2/s; marrow lies between 0.05 and 5 x 10^-3 mm2/s, so the
    three cannot be confused [O].

    Parameters
    ----------
    values : ndarray, shape (n,)
        Of the marrow of all vertebrae of the scan.

    Returns
    -------
    float or Absent
        RV344 where the median fits none of them.

    Examples
    --------
    >>> [adc_unit(np.full(3, value)) for value in (0.0009, 0.9, 900.0)]
    [1000.0, 1.0, 0.001]
    """
    return _unit(float(np.median(values)) if len(values) else float("nan"), _ADC_UNITS)


def _unit(value: float, units: tuple[tuple[float, float, float], ...]) -> float | Absent:
    for low, high, factor in units:
        if low < value <= high:
            return factor
    return Absent("RV344", f"values around {value:.4g} are of no unit that such a map is stored in")


def _median(image: Image, vertebra: Vertebra, mask: Mask) -> float:
    return float(np.median(intensities(image, vertebra, mask)))


def _expected(spine: Spine, image: Image, masks: Mapping[int, Mask]) -> dict[int, Spread]:
    """Return what the marrow of each vertebra should measure on an image of the same grid."""
    scan = replace(spine.scan, image=image)
    return expected_marrow(scan, spine.vertebrae, masks, spine.references, spine.places)


def _abnormal(spine: Spine, own: Image, masks: Mapping[int, Mask]) -> dict[int, Mask | Absent]:
    """Return the abnormal part of each vertebra's marrow, in its box."""
    image = spine.scan.companions.get("T1", own)
    expected = _expected(spine, image, masks)
    found: dict[int, Mask | Absent] = {}
    for vertebra in spine.framed():
        label = vertebra.label
        if label not in expected:
            found[label] = NO_REFERENCE
            continue
        region = foci(below(image[vertebra.box], masks[label], expected[label]), vertebra.spacing).mask
        found[label] = region if region.any() else Absent("RV338", "no abnormal part of 50 mm3")
    return found
