"""Draw the truth of one patient at random: who, which levels, which fractures, which signs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.stats import norm

from radiomics_vert.cohort.levels import Level
from radiomics_vert.synthetic.anatomy import intact
from radiomics_vert.synthetic.effects import (
    APPEARANCES,
    DENSITY_SD,
    HEIGHT_LOSS_SPAN,
    LESION_KINDS,
    METASTATIC,
    OSTEOPOROTIC,
    SIGN_CORRELATION,
    SIGNAL_SD,
    STRIATION_FACTOR,
    TEXTURE_SD,
    WEDGE,
    Appearance,
    normal_density,
)
from radiomics_vert.synthetic.findings import add_findings
from radiomics_vert.synthetic.nouns import Patient, Vertebra
from radiomics_vert.synthetic.spec import SyntheticSpec

_FIELD: list[Level] = [level for level in Level if Level.T10 <= level <= Level.L5 and level is not Level.T13]
# Probability of 1, 2, 3, 4 fractured vertebrae: 1.9 per patient, between the 1.3 and 2.2 of published
# cohorts (evidence.md, structure).
_FRACTURE_COUNTS = (0.45, 0.28, 0.17, 0.10)
_SITES = ("A", "B", "C")


def stream(spec: SyntheticSpec, index: int, *purpose: int) -> np.random.Generator:
    """Return the random numbers of one patient for one purpose.

    Parameters
    ----------
    spec : SyntheticSpec
        Gives the seed.
    index : int
        The patient.
    *purpose : int
        What the numbers are for; streams of different purpose are independent.

    Returns
    -------
    numpy.random.Generator
        The same whatever the number of patients and workers.
    """
    return np.random.default_rng(np.random.SeedSequence(spec.seed, spawn_key=(index, *purpose)))


def draw_patient(spec: SyntheticSpec, index: int) -> Patient:
    """Draw one patient with all vertebrae.

    Parameters
    ----------
    spec : SyntheticSpec
        Shares, ICC and seed.
    index : int
        Position in the cohort, from 0.

    Returns
    -------
    Patient
        With one to four fractured vertebrae and at least two that are not.
    """
    rng = stream(spec, index, 0)
    # A fixed alternation, so that small cohorts hold both classes in the asked share.
    cancer = int((index + 1) * spec.malignant_share) > int(index * spec.malignant_share)
    # Age and sex overlap widely; a covariates-only model must not solve the task. [O]
    age = int(np.clip(rng.normal(68.0 if cancer else 74.0, 9.0), 45, 92))
    female = rng.random() < (0.55 if cancer else 0.70)
    site = str(rng.choice(_SITES))
    contrast = "portal" if rng.random() < 0.4 else "none"
    density, signal, texture, conspicuity = (float(value) for value in rng.standard_normal(4))
    patient = Patient(
        f"SYN{index + 1:03d}", index, cancer, age, "F" if female else "M", site, contrast,
        density, signal, texture, conspicuity, (),
    )  # fmt: skip
    vertebrae = _draw_vertebrae(spec, patient, rng)
    # A stream of its own: what is drawn before stays as it is when a finding is added.
    return replace(patient, vertebrae=add_findings(vertebrae, stream(spec, index, 4)))


def _draw_vertebrae(spec: SyntheticSpec, patient: Patient, rng: np.random.Generator) -> tuple[Vertebra, ...]:
    count = int(rng.choice(4, p=_FRACTURE_COUNTS)) + 1
    levels = _levels(count, rng)
    scale = float(rng.normal(0.97 if patient.sex == "F" else 1.05, 0.035))
    diagnoses = dict(
        zip(_broken(levels, count, patient.cancer, rng), _diagnoses(spec, patient, count, rng), strict=True)
    )
    drawn = []
    for level in levels:
        vertebra = _marrow(intact(level, scale, 1 - abs(float(rng.normal(0.0, 0.03)))), spec, patient, rng)
        if rng.random() < 0.08:  # a Schmorl node mimics a lesion in either class (row 9); frequency [O]
            vertebra = replace(vertebra, schmorl_depth=float(rng.uniform(2.0, 4.5)))
        if level in diagnoses:
            vertebra = _fracture(vertebra, diagnoses[level], spec, patient, rng)
        drawn.append(vertebra)
    return tuple(drawn)


def _levels(fractures: int, rng: np.random.Generator) -> list[Level]:
    number = max(fractures + 2, int(rng.integers(4, 7)))
    first = int(rng.integers(0, len(_FIELD) - number + 1))
    return _FIELD[first : first + number]


def _broken(levels: list[Level], count: int, cancer: bool, rng: np.random.Generator) -> list[Level]:
    # Row 5 and 7: osteoporotic fractures favour T12 to L4; warning 7: level is no hard rule.
    favoured = 1.3 if cancer else 3.0
    weight = np.array([favoured if Level.T12 <= level <= Level.L4 else 1.0 for level in levels])
    chosen = rng.choice(len(levels), size=count, replace=False, p=weight / weight.sum())
    return [levels[k] for k in sorted(chosen)]


def _diagnoses(spec: SyntheticSpec, patient: Patient, count: int, rng: np.random.Generator) -> list[str]:
    if not patient.cancer:
        return [OSTEOPOROTIC] * count
    mixed = rng.random() < spec.mixed_share and count > 1
    # evidence.md: up to one third of the fractures in cancer patients are benign.
    benign = int(rng.integers(1, count // 2 + 1)) if mixed else 0
    return [str(name) for name in rng.permutation([OSTEOPOROTIC] * benign + [METASTATIC] * (count - benign))]


def _marrow(vertebra: Vertebra, spec: SyntheticSpec, patient: Patient, rng: np.random.Generator) -> Vertebra:
    own = rng.standard_normal(3)
    shared = np.array([patient.density_effect, patient.signal_effect, patient.texture_effect])
    density, signal, texture = np.sqrt(spec.icc) * shared + np.sqrt(1 - spec.icc) * own
    # Patients with osteoporotic fractures lie below the mean of their age; those with cancer on it.
    # 22 HU: with the age difference, the AUC of density stays near the 0.74 of row 1.
    mean = normal_density(patient.age) - (0.0 if patient.cancer else 22.0)
    hu = max(25.0, mean + DENSITY_SD * density)
    thinning = np.clip((150.0 - hu) / 100.0, -0.5, 1.2)
    return replace(
        vertebra,
        density_effect=float(own[0]),
        signal_effect=float(own[1]),
        texture_effect=float(own[2]),
        trabecular_hu=float(hu),
        texture_hu=float((26.0 + 0.08 * hu) * np.exp(TEXTURE_SD * texture)),
        # Row 4: horizontal trabeculae go first, so thin bone looks striated. [O]
        striation=float(
            1.25
            * (1.0 if patient.cancer else STRIATION_FACTOR)
            * np.exp(0.35 * thinning - 0.6 * TEXTURE_SD * texture)
        ),
        cortex_hu=float(430.0 + 0.8 * (hu - 100.0)),
        # Row 41: the less bone, the more fat in the marrow; 1.23 would be red marrow (row 28).
        marrow_t1=float(max(1.30, 1.82 + 0.12 * thinning + SIGNAL_SD * signal)),
    )


def _fracture(
    vertebra: Vertebra, diagnosis: str, spec: SyntheticSpec, patient: Patient, rng: np.random.Generator
) -> Vertebra:
    typical = rng.random() >= spec.atypical_share
    other = OSTEOPOROTIC if diagnosis == METASTATIC else METASTATIC
    shown = diagnosis if typical else other
    look = APPEARANCES[shown]
    broken = replace(vertebra, fractured=True, diagnosis=diagnosis, appearance=shown)
    broken = _collapse(broken, look, rng)
    conspicuity = np.sqrt(spec.icc) * patient.conspicuity + np.sqrt(1 - spec.icc) * rng.standard_normal()
    broken = _signs(broken, look, float(conspicuity), rng)
    broken = _lesion(broken, look, float(conspicuity), rng)
    return _t1_signal(broken, look, rng)


def _collapse(vertebra: Vertebra, look: Appearance, rng: np.random.Generator) -> Vertebra:
    wedge = WEDGE[vertebra.level.region] * (1 - look.crush)
    kinds = ("wedge", "biconcave", "crush")
    kind = kinds[int(rng.choice(3, p=(wedge, 1 - wedge - look.crush, look.crush)))]
    loss = float(0.20 + HEIGHT_LOSS_SPAN * rng.beta(1.6, 1.9))
    minor = rng.uniform(0.05, 0.35, 2)
    losses = {
        "wedge": (loss, loss * (0.45 + minor[0]), loss * 0.6 * minor[1]),
        "biconcave": (loss * (0.1 + minor[0]), loss, loss * minor[1]),
        "crush": (loss, loss, loss * (1 - 0.1 * minor[1])),
    }[kind]
    heights = [height * (1 - part) for height, part in zip(vertebra.normal_heights, losses, strict=True)]
    mean, sd = look.lateral_angle
    both = kind == "biconcave" and rng.random() < 0.6
    return replace(
        vertebra,
        anterior=float(heights[0]),
        middle=float(heights[1]),
        posterior=float(heights[2]),
        fracture_type=kind,
        height_loss=loss,
        genant_grade=1 + int(loss >= 0.25) + int(loss >= 0.40),
        superior_share=float(rng.uniform(0.4, 0.6) if both else rng.uniform(0.75, 1.0)),
        angled=bool(rng.random() < look.angled),
        lateral_angle=float(rng.choice((-1, 1)) * max(0.0, rng.normal(mean, sd))),
        schmorl_depth=0.0,
    )


def _signs(vertebra: Vertebra, look: Appearance, conspicuity: float, rng: np.random.Generator) -> Vertebra:
    def present(probability: float) -> bool:
        own = rng.standard_normal()
        score = np.sqrt(SIGN_CORRELATION) * conspicuity + np.sqrt(1 - SIGN_CORRELATION) * own
        return bool(score > norm.isf(probability))

    # Row 11: the body gives way on the side of the lysis, where pedicle and mass are looked for too.
    side = int(rng.choice((-1, 1))) if not vertebra.lateral_angle else -int(np.sign(vertebra.lateral_angle))
    mass, thin = present(look.focal_mass), bool(rng.random() < look.thin_rim)
    thickness = float(rng.uniform(7.0, 14.0) if mass else rng.uniform(2.5, 6.0) if thin else 0.0)
    # Sizes in mm: [O]; the thin rim stays under the 10 mm of row 22.
    bulge = float(rng.uniform(1.5, 4.5)) if present(look.convex_wall) else 0.0
    fragment = float(rng.uniform(2.5, 5.5)) if rng.random() < look.retropulsion else 0.0
    return replace(
        vertebra,
        bulge=0.0 if fragment else bulge,  # row 16: either convex or angular
        retropulsion=fragment,
        pedicle_side=side if present(look.pedicle) else 0,
        arch=present(look.arch),
        cortex_destroyed=present(look.cortex),
        rim=thickness,
        rim_side=side if mass else 0,
        gas=bool(rng.random() < look.gas),
        sclerosis_hu=float(rng.uniform(*look.sclerosis)),
    )


def _lesion(vertebra: Vertebra, look: Appearance, conspicuity: float, rng: np.random.Generator) -> Vertebra:
    margin = float(rng.uniform(*look.t1_margin))
    kind = str(rng.choice([name for name, _ in LESION_KINDS], p=[share for _, share in LESION_KINDS]))
    # From a twelfth to about two thirds of the body, larger where the signs are conspicuous. [O]
    mixture = 0.7 * conspicuity + np.sqrt(1 - 0.7**2) * rng.standard_normal()
    size = float(0.08 + 0.55 * norm.cdf(mixture))
    foci = int(rng.integers(1, 5))
    if rng.random() >= look.lesion:
        return replace(vertebra, margin=margin)
    lytic = {"lytic": 1.0, "mixed": 0.6, "blastic": 0.0}[kind] * size
    return replace(
        vertebra,
        margin=margin,
        lesion_kind=kind,
        lytic_fraction=lytic,
        blastic_fraction=(size - lytic) * 0.6,  # blastic foci are denser and smaller [O]
        foci=foci,
    )


def _t1_signal(vertebra: Vertebra, look: Appearance, rng: np.random.Generator) -> Vertebra:
    dark, complete = rng.random() < look.acute, rng.random() < look.t1_complete
    ratio = float(max(0.8, rng.normal(*look.t1_ratio)))
    low, high = rng.uniform(0.25, 0.55), rng.uniform(0.85, 1.0)
    if not dark:
        # Row 27: an old fracture is as bright as normal marrow, or brighter.
        return replace(vertebra, marrow_t1=vertebra.marrow_t1 * float(rng.uniform(1.0, 1.1)))
    if complete:
        return replace(vertebra, t1_pattern="complete", t1_fraction=float(high), t1_ratio=ratio)
    lesion = vertebra.lytic_fraction + vertebra.blastic_fraction
    if vertebra.lesion_kind:
        # Marrow is infiltrated beyond the bone that is visibly destroyed. [O]
        return replace(
            vertebra, t1_pattern="lesion", t1_fraction=float(min(0.8, 0.1 + 1.3 * lesion)), t1_ratio=ratio
        )
    return replace(vertebra, t1_pattern="band", t1_fraction=float(low), t1_ratio=ratio)
