"""Published scores from signs that other families measured: rules that a model must beat.

The findings of these scores were read by radiologists; here each is a measured sign and a threshold of our
own, so a score is a translation, not the published reading.
"""

from __future__ import annotations

from collections.abc import Mapping

from radiomics_vert.signs.baselines import sins_imaging, takigawa_probability
from radiomics_vert.signs.nouns import Absent, Value, Vertebra
from radiomics_vert.signs.results import Measured
from radiomics_vert.signs.spine import Spine

PROTRUSION_MM = 2.0  # posterior wall behind its chord, more than in unfractured neighbours [O]
ANGULAR = 0.25  # from here on the wall is angled, not merely uneven [O]
PEDICLE_RATIO = 0.5  # of the expected bone mass (CT) [O]
PEDICLE_SIGNAL = 0.7  # of the references' pedicles (T1) [O]
REPLACED = 0.25  # share of the posterior elements [O]
BAND = 0.5  # length over width times planarity [O]
LESION = 0.05  # share of the trabecular body [O]
DEFORMITY_DEG = 15.0  # between the axis and the line through the neighbours [O]
ONE_SIDED = 0.2  # asymmetry from which one pedicle alone is counted [O]


def measure(spine: Spine, measured: Mapping[str, Measured | Absent]) -> Measured:
    """Compute the scores of every vertebra.

    Parameters
    ----------
    spine : Spine
        The scan.
    measured : mapping of str to Measured
        What the other families gave, by family.

    Returns
    -------
    Measured
        `takigawa_p` and `sins_imaging`; absent, with the sign that is missing, where one of their
        findings is.
    """
    found: dict[int, Mapping[str, Value]] = {}
    for vertebra in spine.framed():
        known = _known(vertebra.label, measured)
        found[vertebra.label] = {
            "takigawa_p": _takigawa(known),
            "sins_imaging": _sins(vertebra, known),
        }
    return found


def _known(label: int, measured: Mapping[str, Measured | Absent]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for family in measured.values():
        if not isinstance(family, Absent):
            values |= family.get(label, {})
    return values


def _missing(known: Mapping[str, Value], *names: str) -> Absent | None:
    for name in names:
        value = known.get(name)
        if value is None or isinstance(value, Absent) or value != value:
            reason = f": {value.detail}" if isinstance(value, Absent) else ""
            return Absent("RV338", f"it needs {name}, which is absent here{reason}")
    return None


def _number(known: Mapping[str, Value], name: str, default: float = 0.0) -> float:
    value = known.get(name, default)
    return default if isinstance(value, Absent) else float(value)


def _takigawa(known: Mapping[str, Value]) -> Value:
    missing = _missing(known, "pw_bulge_mm", "pedicle_trom_min", "pe_replaced_frac", "band_score")
    if missing is not None:
        return missing
    return takigawa_probability(
        # A fragment that juts out at an angle is retropulsion, not diffuse protrusion.
        posterior_protrusion=_number(known, "pw_bulge_mm") >= PROTRUSION_MM
        and _number(known, "pw_angularity", -1.0) <= ANGULAR,
        pedicle=_number(known, "pedicle_trom_min") < PEDICLE_SIGNAL,
        posterior_elements=_number(known, "pe_replaced_frac") >= REPLACED,
        band=_number(known, "band_score") >= BAND,
    )


def _sins(vertebra: Vertebra, known: Mapping[str, Value]) -> Value:
    needed = ("loss_max", "lytic_frac", "blastic_frac", "pedicle_min_ratio", "pedicle_asym")
    missing = _missing(known, *needed)
    if missing is not None:
        return missing
    if vertebra.level is None or vertebra.frame is None:
        return Absent("RV337", "its points depend on the level")
    lytic, blastic = _number(known, "lytic_frac"), _number(known, "blastic_frac")
    tilt = vertebra.frame.quality.tilt_deg
    return float(
        sins_imaging(
            vertebra.level,
            lesion=_lesion(lytic, blastic),
            alignment="deformity" if tilt > DEFORMITY_DEG else "normal",
            height_loss=_number(known, "loss_max"),
            involved_share=min(1.0, lytic + blastic),
            posterolateral=_posterolateral(known),
        )
    )


def _lesion(lytic: float, blastic: float) -> str:
    """Return the quality of the lesion; a body without any gets no points, as a blastic one."""
    if lytic < LESION:
        return "blastic"
    return "mixed" if blastic >= LESION else "lytic"


def _posterolateral(known: Mapping[str, Value]) -> str:
    if _number(known, "pedicle_min_ratio", 1.0) >= PEDICLE_RATIO:
        return "none"
    return "unilateral" if abs(_number(known, "pedicle_asym")) > ONE_SIDED else "bilateral"
