"""Measure every sign of the registry on one scan: a number, or the reason why there is none.

A family is a function from :class:`Spine` to values. It returns what it can measure, and an `Absent` where
the definition gives no value. What a sign needs (sequence, masks, images, references) stands in the registry
and is checked here, once for all families, so that a family leaves a sign out where its needs are not met.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import isfinite
from types import MappingProxyType
from typing import TypeAlias

import pandas as pd

import radiomics_vert.signs.bone as bone
import radiomics_vert.signs.canal as canal
import radiomics_vert.signs.cortex as cortex
import radiomics_vert.signs.density as density
import radiomics_vert.signs.edema as edema
import radiomics_vert.signs.endplates as endplates
import radiomics_vert.signs.enhancement as enhancement
import radiomics_vert.signs.fat_water as fat_water
import radiomics_vert.signs.gas as gas
import radiomics_vert.signs.heights as heights
import radiomics_vert.signs.patient as patient
import radiomics_vert.signs.pedicles as pedicles
import radiomics_vert.signs.published as published
import radiomics_vert.signs.replacement as replacement
import radiomics_vert.signs.soft_tissue as soft_tissue
import radiomics_vert.signs.wall as wall
from radiomics_vert.errors import RadiomicsVertError
from radiomics_vert.signs.nouns import Absent, SignScan, Value, Vertebra
from radiomics_vert.signs.registry import Sign, registry
from radiomics_vert.signs.results import SCAN, Measured, ScanSigns
from radiomics_vert.signs.spine import Spine, prepare_spine

Family: TypeAlias = Callable[[Spine], Measured]

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "heights": heights.measure,
        "endplates": endplates.measure,
        "wall": wall.measure,
        "replacement": replacement.measure,
        "edema": edema.measure,
        "enhancement": enhancement.measure,
        "fat_water": fat_water.measure,
        "gas": gas.measure,
        "cortex": cortex.measure,
        "density": density.measure,
        "bone": bone.measure,
        "pedicles": pedicles.measure,
        "canal": canal.measure,
        "soft_tissue": soft_tissue.measure,
        "patient": patient.measure,
    }
)
"""By the `family` of the registry: what measures its signs. Published scores are made from theirs."""

# Layers of a scan that serve a need of the registry; the first part of their names.
_LAYERS = {
    "canal": ("canal",),
    "cord": ("cord",),
    "csf": ("csf", "canal"),
    "disc": ("disc",),
    "muscle": ("muscle", "iliopsoas", "autochthon"),
    "paravertebral": ("paravertebral",),
}


def measure_scan(scan: SignScan, sequence: str) -> ScanSigns:
    """Measure all signs of one scan.

    Parameters
    ----------
    scan : SignScan
        All vertebrae of the scan, from :func:`radiomics_vert.signs.loading.load_sign_scan`.
    sequence : str
        `CT`, `T1`, `T2`, `STIR`, `T1_CONTRAST`, `ADC`, `IN_PHASE`, `OPPOSED_PHASE` or `FAT_FRACTION`.

    Returns
    -------
    ScanSigns
        For every vertebra and sign, either a value or a row of the absences.
    """
    return measure_spine(prepare_spine(scan, sequence))


def measure_spine(spine: Spine) -> ScanSigns:
    """Measure all signs of a prepared scan; see :func:`measure_scan`."""
    measured = {name: _run(family, spine) for name, family in FAMILIES.items()}
    measured["baselines"] = _run(partial(published.measure, measured=measured), spine)
    rows, absences = [], []
    for vertebra in spine.vertebrae:
        row: dict[str, object] = {"case_id": vertebra.case_id, "level": str(vertebra.level or "")}
        for sign in registry().values():
            value = _value(spine, vertebra, sign, measured.get(sign.family, {}))
            row[sign.name] = float("nan") if isinstance(value, Absent) else value
            if isinstance(value, Absent):
                absences.append((vertebra.case_id, sign.name, value.code, value.detail))
        rows.append(row)
    columns = ["case_id", "level", *registry()]
    return ScanSigns(
        pd.DataFrame(rows, columns=columns),
        pd.DataFrame(absences, columns=["case_id", "sign", "code", "reason"]),
        pd.DataFrame([_facts(spine, vertebra) for vertebra in spine.vertebrae]),
    )


def _run(family: Family, spine: Spine) -> Measured | Absent:
    """Run a family; an error takes its own signs away and nothing else."""
    try:
        return family(spine)
    except (ArithmeticError, LookupError, ValueError, TypeError, RadiomicsVertError) as error:
        return Absent("RV342", f"{type(error).__name__}: {' '.join(str(error).split())}")


def _value(spine: Spine, vertebra: Vertebra, sign: Sign, measured: Measured | Absent) -> Value:
    missing = availability(spine, vertebra, sign)
    if missing is not None:
        return missing
    if isinstance(measured, Absent):
        return measured
    key = SCAN if sign.scope == "scan" else vertebra.label
    value = measured.get(key, {}).get(sign.name)
    if value is None:
        return Absent("RV338", "its family gave no value")
    if isinstance(value, Absent):
        return value
    if not isfinite(value):
        return Absent("RV338", "too few points or voxels to measure it")
    if not sign.holds(value):
        return Absent("RV343", f"{value:.4g} {sign.unit}, outside {sign.low:g} to {sign.high:g}")
    return float(value)


def availability(spine: Spine, vertebra: Vertebra, sign: Sign) -> Absent | None:
    """Return why a sign cannot be measured on a vertebra, None when its needs are met.

    Parameters
    ----------
    spine : Spine
        The scan.
    vertebra : Vertebra
        One of its vertebrae.
    sign : Sign
        An entry of the registry.
    """
    if spine.sequence not in sign.sequences:
        return Absent(
            "RV332", f"{sign.name} is defined on {', '.join(sign.sequences)}, not on {spine.sequence}"
        )
    own = sign.scope == "vertebra"
    if own and vertebra.problem is not None:
        return vertebra.problem
    for need in sign.needs:
        detail = _unmet(spine, vertebra, need, own)
        if detail is not None:
            return detail
    return None


def _unmet(spine: Spine, vertebra: Vertebra, need: str, own: bool) -> Absent | None:
    scan = spine.scan
    if need in _LAYERS and not any(name.startswith(_LAYERS[need]) for name in scan.layers):
        return Absent("RV331", f"no mask holds: {need}")
    if need == "posterior" and own and not vertebra.posterior.any():
        return Absent("RV331", "no mask holds posterior elements, or none were found")
    if need == "image" and scan.image is None:
        return Absent("RV339", "no image was given")
    if need == "companion" and not scan.companions:
        return Absent("RV339", "no companion image on the same grid was given")
    if need in ("calibration", "norm") and need not in scan.tables:
        return Absent("RV339", f"no {need} was given")
    if need == "references" and own and vertebra.label not in spine.references:
        return Absent("RV333", "no unfractured vertebra within three levels")
    if need == "neighbours" and own and spine.neighbours(vertebra.label) is None:
        return Absent("RV333", "the vertebrae above and below were not both measured")
    if need == "levels" and all(level is None for level in scan.levels.values()):
        return Absent("RV337", "the label scheme names no levels")
    return None


def _facts(spine: Spine, vertebra: Vertebra) -> dict[str, object]:
    frame, problem = vertebra.frame, vertebra.problem
    quality = frame.quality if frame else None
    named = {other.label: other.case_id for other in spine.vertebrae}
    return {
        "case_id": vertebra.case_id,
        "level": str(vertebra.level or ""),
        "body_source": vertebra.body_source,
        "frame": "good" if quality and quality.good else ("doubtful" if quality else "none"),
        "flags": "; ".join(quality.flags) if quality else (problem.detail if problem else ""),
        "superior_mm": quality.superior_mm if quality else float("nan"),
        "inferior_mm": quality.inferior_mm if quality else float("nan"),
        "tilt_deg": quality.tilt_deg if quality else float("nan"),
        "visible": quality.visible if quality else float("nan"),
        "width_mm": frame.width if frame else float("nan"),
        "depth_mm": frame.depth if frame else float("nan"),
        "references": " ".join(named[label] for label in spine.references.get(vertebra.label, ())),
    }
