"""Published scores and classes, as plain functions of their findings."""

from __future__ import annotations

import math

from radiomics_vert.cohort import Level


def takigawa_probability(
    *, posterior_protrusion: bool, pedicle: bool, posterior_elements: bool, band: bool
) -> float:
    """Return the probability of malignancy after the logistic model of Takigawa 2017.

    P = 1 / (1 + exp(x)), x = 5.00 - 3.88 protrusion - 3.05 pedicle - 3.02 posterior elements + 3.05 band.

    Parameters
    ----------
    posterior_protrusion : bool
        Diffuse protrusion of the posterior wall.
    pedicle, posterior_elements : bool
        Involved.
    band : bool
        A band of low signal.

    Examples
    --------
    >>> round(takigawa_probability(
    ...     posterior_protrusion=True, pedicle=True, posterior_elements=False, band=False), 3)
    0.873
    """
    x = 5.00 - 3.88 * posterior_protrusion - 3.05 * pedicle - 3.02 * posterior_elements + 3.05 * band
    return 1.0 / (1.0 + math.exp(x))


_JUNCTIONAL = {
    *(Level.C1, Level.C2, Level.C7, Level.T1, Level.T2),
    *(Level.T11, Level.T12, Level.T13, Level.L1, Level.L5, Level.L6, Level.S1),
}


def sins_location(level: Level) -> int:
    """Return the points for location: junctional 3, mobile 2, semirigid 1, rigid 0.

    Junctional: C1-C2, C7-T2, T11-L1, L5-S1; mobile: C3-C6, L2-L4; semirigid: T3-T10; rigid: S2 and below.
    Levels of transitional anatomy (T13, L6) count with the junction they lie at.

    Examples
    --------
    >>> [sins_location(level) for level in (Level.L1, Level.L3, Level.T7, Level.S3)]
    [3, 2, 1, 0]
    """
    if level in _JUNCTIONAL:
        return 3
    return {"cervical": 2, "lumbar": 2, "thoracic": 1}.get(level.region, 0)


_LESION = {"lytic": 2, "mixed": 1, "blastic": 0}
_ALIGNMENT = {"translation": 4, "deformity": 2, "normal": 0}
_POSTEROLATERAL = {"bilateral": 3, "unilateral": 1, "none": 0}


def sins_collapse(height_loss: float, involved_share: float = 0.0) -> int:
    """Return the points for collapse: above 50 % 3, below 50 % 2, none but over half involved 1, none 0.

    Parameters
    ----------
    height_loss : float
        Largest loss; below 0.20 there is no collapse (Genant grade 0) [O].
    involved_share : float, default 0.0
        Share of the body that the lesion takes.

    Examples
    --------
    >>> [sins_collapse(0.55), sins_collapse(0.3), sins_collapse(0.0, 0.6), sins_collapse(0.0)]
    [3, 2, 1, 0]
    """
    if height_loss >= 0.20:
        return 3 if height_loss > 0.5 else 2
    return 1 if involved_share > 0.5 else 0


def sins_imaging(
    level: Level,
    *,
    lesion: str,
    alignment: str,
    height_loss: float,
    involved_share: float,
    posterolateral: str,
) -> int:
    """Return the imaging part, 0 to 15, of the Spinal Instability Neoplastic Score: all but pain.

    Parameters
    ----------
    level : Level
        Of the lesion.
    lesion : {"lytic", "mixed", "blastic"}
        Quality of the bone lesion.
    alignment : {"translation", "deformity", "normal"}
        Subluxation or translation; new kyphosis or scoliosis; normal.
    height_loss, involved_share : float
        See :func:`sins_collapse`.
    posterolateral : {"bilateral", "unilateral", "none"}
        Involvement of posterolateral elements.

    Raises
    ------
    KeyError
        A word that is not listed.
    """
    return (
        sins_location(level)
        + _LESION[lesion]
        + _ALIGNMENT[alignment]
        + sins_collapse(height_loss, involved_share)
        + _POSTEROLATERAL[posterolateral]
    )


def t_score(bmd: float, young_mean: float, young_sd: float) -> float:
    """Return how many standard deviations a density lies from that of young adults.

    Parameters
    ----------
    bmd, young_mean, young_sd : float
        In one unit, such as g/cm2 (DXA).

    Returns
    -------
    float
        Its class is given by :func:`t_score_class`, for those to whom it applies.

    Raises
    ------
    ValueError
        The standard deviation is not positive.
    """
    if young_sd <= 0:
        raise ValueError(f"a standard deviation must be positive, not {young_sd:g}")
    return (bmd - young_mean) / young_sd


MEN_FROM = 50.0
"""Age in years from which T-scores apply to men."""


def z_score_reason(*, sex: str, age: float | None, postmenopausal: bool | None) -> str:
    """Return why a T-score does not apply to a patient; empty where it does.

    It applies to post-menopausal women and to men from 50 on; for others the Z-score is used. What is not
    known does not count as given.

    Parameters
    ----------
    sex : str
        `F` or `M`; anything else is unknown.
    age : float or None
        Years; None where unknown. Decides for men alone.
    postmenopausal : bool or None
        Of a woman; None where unknown.

    Examples
    --------
    >>> z_score_reason(sex="M", age=49.9, postmenopausal=None)
    'a man below 50: use the Z-score'
    >>> z_score_reason(sex="M", age=50, postmenopausal=None)
    ''
    """
    if sex not in ("F", "M"):
        return "the sex is not known"
    if sex == "M":
        if age is None or not math.isfinite(age):
            return "the age of a man is not known"
        return "" if age >= MEN_FROM else f"a man below {MEN_FROM:g}: use the Z-score"
    if postmenopausal is None:
        return "not known whether a woman is post-menopausal"
    return "" if postmenopausal else "a woman before menopause: use the Z-score"


def t_score_class(
    t: float, *, sex: str, age: float, postmenopausal: bool = False, fragility: bool = False
) -> str:
    """Return the class of a T-score from DXA, with exact boundaries.

    Normal: T >= -1.0. Osteopenia: -2.5 < T < -1.0. Osteoporosis: T <= -2.5; severe with a fragility fracture.
    The classes apply to post-menopausal women and to men from 50 on; for others the Z-score is used.

    Parameters
    ----------
    t : float
        The T-score.
    sex : {"F", "M"}
        Of the patient.
    age : float
        Years.
    postmenopausal : bool, default False
        Of a woman.
    fragility : bool, default False
        A fragility fracture is present.

    Returns
    -------
    str
        `normal`, `osteopenia`, `osteoporosis`, `severe osteoporosis`, or `use the Z-score`.

    Raises
    ------
    ValueError
        Another sex, or a T-score that is not finite.

    Examples
    --------
    >>> [t_score_class(t, sex="M", age=60) for t in (-1.0, -1.01, -2.5)]
    ['normal', 'osteopenia', 'osteoporosis']
    """
    if sex not in ("F", "M") or not math.isfinite(t):
        raise ValueError(f"sex F or M and a finite T-score are needed, not {sex!r} and {t}")
    if z_score_reason(sex=sex, age=age, postmenopausal=postmenopausal):
        return "use the Z-score"
    if t >= -1.0:
        return "normal"
    if t > -2.5:
        return "osteopenia"
    return "severe osteoporosis" if fragility else "osteoporosis"
