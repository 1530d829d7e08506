"""How an image was acquired, for tables and reports: a whitelist of facts without anything about a person.

A tag that is not in this file is not reported. Free text that people type (series description, protocol name,
contrast agent) is never copied: it holds names in practice. From it only answers of a closed list are taken.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from radiomics_vert.errors import ImageError, Problem
from radiomics_vert.imaging.dicom.headers import Frame
from radiomics_vert.imaging.dicom.series import Series, choose_series, is_series
from radiomics_vert.imaging.dicom.stacking import stack

# fact -> DICOM keyword; the same words in BIDS sidecars, where a number may have another unit.
_TEXTS = {
    "modality": "Modality",
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "software_version": "SoftwareVersions",
    "convolution_kernel": "ConvolutionKernel",
    "scanning_sequence": "ScanningSequence",
    "sequence_variant": "SequenceVariant",
    "sequence_name": "SequenceName",
    "acquisition_type": "MRAcquisitionType",
    "patient_position": "PatientPosition",
    "body_part": "BodyPartExamined",
}
_NUMBERS = {
    "field_strength": "MagneticFieldStrength",
    "kvp": "KVP",
    "tube_current": "XRayTubeCurrent",
    "exposure": "Exposure",
    "echo_time": "EchoTime",
    "repetition_time": "RepetitionTime",
    "inversion_time": "InversionTime",
    "flip_angle": "FlipAngle",
    "echo_train_length": "EchoTrainLength",
    "b_value": "DiffusionBValue",
    "slice_thickness": "SliceThickness",
}
_BIDS_NAMES = {"ManufacturerModelName": "ManufacturersModelName", "Exposure": "XRayExposure"}
_BIDS_SECONDS = ("EchoTime", "RepetitionTime", "InversionTime")
_PHASES = {
    "PRE_CONTRAST": "non-contrast",
    "ARTERIAL": "arterial",
    "PORTAL_VENOUS": "portal venous",
    "VENOUS": "venous",
    "DELAYED": "delayed",
}
# [O] Words of series names, in the order in which they are looked for.
_PHASE_WORDS = (
    (
        r"non[ _-]?contrast|native?|nativ|without contrast|unenhanced|ohne km|pre[ _-]?contrast",
        "non-contrast",
    ),
    (r"portal|portal[ _-]?venous|pv phase|portalvenos|portalvenös", "portal venous"),
    (r"arterial|arteriell", "arterial"),
    (r"venous|venos|venös", "venous"),
    (r"delayed|late phase|spat|spät", "delayed"),
)
# A machine's own words are short; longer text under such a tag was typed by somebody.
_LONGEST = 64


def acquisition_facts(path: str | Path, *, series: str = "") -> dict[str, str]:
    """Return how an image was acquired, from its DICOM headers or from its BIDS sidecar.

    Parameters
    ----------
    path : str or Path
        A DICOM folder or file, or an image file; `scan.nii.gz` has its facts in `scan.json` beside it.
    series : str
        Which DICOM series, as for :func:`choose_series`.

    Returns
    -------
    dict of str to str
        Only what is known, in this order of names: `modality`, `manufacturer`, `model`, `software_version`,
        `convolution_kernel`, `scanning_sequence`, `sequence_variant`, `sequence_name`, `acquisition_type`,
        `patient_position`, `body_part`; `field_strength` (T), `kvp` (kV), `tube_current` (mA), `exposure`
        (mAs), `echo_time`, `repetition_time`, `inversion_time` (ms), `flip_angle` (degrees),
        `echo_train_length`, `b_value` (s/mm²), `slice_thickness` (mm); `contrast_agent` (`yes` when the
        header names one; the name is not copied), `contrast_phase` (`non-contrast`, `arterial`,
        `portal venous`, `venous`, `delayed`: from its own tag, else from those words in the series or
        protocol name); `lossy_compression` (`yes`); from DICOM also `pixel_spacing` (mm, rows x columns),
        `spacing_between_slices` (mm, from the positions) and `padding_value` (in units of the image).
        Numbers that vary within the series are `smallest-largest`, texts are joined by `; `.

    Raises
    ------
    ImageError
        RV101, RV202, RV211, RV212 as :func:`choose_series`; RV223 the sidecar is no JSON object.

    Notes
    -----
    Names, birth dates, ids, dates, UIDs, free text and private tags are not read into the result.
    """
    path = Path(path)
    if is_series(path, series):
        return _of_series(choose_series(path, series), path)
    sidecar = sidecar_of(path)
    return _of_sidecar(sidecar) if sidecar.is_file() else {}


def sidecar_of(path: Path) -> Path:
    """Return where the BIDS sidecar of an image file stands, if it has one."""
    return path.with_name(re.sub(r"\.(nii\.gz|[^.]+)$", "", path.name, flags=re.IGNORECASE) + ".json")


def _of_series(series: Series, path: Path) -> dict[str, str]:
    frames = series.frames
    facts = {name: _joined_texts(frame.text(tag) for frame in frames) for name, tag in _TEXTS.items()}
    facts |= {
        name: _range(number for frame in frames for number in frame.numbers(tag))
        for name, tag in _NUMBERS.items()
    }
    facts["contrast_agent"] = "yes" if any(frame.text("ContrastBolusAgent") for frame in frames) else ""
    facts["contrast_phase"] = _joined_texts(
        _phase(
            frame.text("ContrastBolusAgentPhase"), frame.text("SeriesDescription"), frame.text("ProtocolName")
        )
        for frame in frames
    )
    lossy = any(frame.text("LossyImageCompression") == "01" for frame in frames)
    facts["lossy_compression"] = "yes" if lossy else ""
    spacings = [frame.numbers("PixelSpacing") for frame in frames]
    axes = [_range(spacing[axis] for spacing in spacings if len(spacing) == 2) for axis in (0, 1)]
    facts["pixel_spacing"] = " x ".join(axes) if all(axes) else ""
    facts["spacing_between_slices"] = _slice_spacing(series, path)
    facts["padding_value"] = _range(value for frame in frames for value in _padding(frame))
    return {name: value for name, value in facts.items() if value}


def _slice_spacing(series: Series, path: Path) -> str:
    try:
        return _number(stack(series, path).geometry.spacing[2])
    except ImageError:
        return ""  # no regular grid, no spacing; reading the image says why


def _padding(frame: Frame) -> Iterable[float]:
    slope, intercept = (*frame.numbers("RescaleSlope"), 1.0)[0], (*frame.numbers("RescaleIntercept"), 0.0)[0]
    return (value * slope + intercept for value in frame.numbers("PixelPaddingValue"))


def _of_sidecar(file: Path) -> dict[str, str]:
    try:
        content = json.loads(file.read_text("utf-8-sig"))
    except (ValueError, OSError) as error:
        raise ImageError(_bad_sidecar(file, type(error).__name__)) from None
    if not isinstance(content, Mapping):
        raise ImageError(_bad_sidecar(file, "a list or a single value"))

    def values(tag: str) -> Sequence[object]:
        value = content.get(tag, content.get(_BIDS_NAMES.get(tag, tag)))
        several = value if isinstance(value, list) else [value]
        return [one for one in several if isinstance(one, (str, int, float)) and not isinstance(one, bool)]

    facts = {name: _joined_texts(["\\".join(map(str, values(tag)))]) for name, tag in _TEXTS.items()}
    for name, tag in _NUMBERS.items():
        factor = 1000.0 if tag in _BIDS_SECONDS else 1.0
        facts[name] = _range(number * factor for value in values(tag) for number in _as_number(value))
    facts["contrast_agent"] = (
        "yes" if values("ContrastBolusIngredient") or values("ContrastBolusAgent") else ""
    )
    texts = ["".join(map(str, values(tag))) for tag in ("SeriesDescription", "ProtocolName")]
    facts["contrast_phase"] = _phase("", *texts)
    lossy = content.get("LossyImageCompression")
    facts["lossy_compression"] = "yes" if lossy in ("01", True, 1) else ""
    return {name: value for name, value in facts.items() if value}


def _bad_sidecar(file: Path, found: str) -> Problem:
    remedy = "write the sidecar again (dcm2niix does), or remove it"
    return Problem("RV223", "one JSON object", found, str(file), remedy)


def _as_number(value: object) -> tuple[float, ...]:
    try:
        number = float(str(value))
    except ValueError:
        return ()
    return (number,) if math.isfinite(number) else ()


def _phase(tag: str, *texts: str) -> str:
    if tag.upper() in _PHASES:
        return _PHASES[tag.upper()]
    text = " ".join(texts).replace("_", " ").casefold()
    for words, phase in _PHASE_WORDS:
        if re.search(rf"(?<!\w)({words})(?!\w)", text):
            return phase
    return ""


def _joined_texts(texts: Iterable[str]) -> str:
    return "; ".join(sorted({text for text in texts if 0 < len(text) <= _LONGEST}))


def _range(numbers: Iterable[float]) -> str:
    distinct = sorted(set(numbers))
    if not distinct:
        return ""
    low, high = _number(distinct[0]), _number(distinct[-1])
    return low if low == high else f"{low}-{high}"


def _number(value: float) -> str:
    return f"{value:.6g}"
