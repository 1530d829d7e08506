"""How the two classes differ: every number, with the published figure behind it.

Comments name the row of the sign table that the project works from, with the study that the row
quotes. [O] marks a number of our own: no published figure was found, and it only makes the pictures
plausible. Nothing here is evidence about patients.
"""

from __future__ import annotations

from dataclasses import dataclass

OSTEOPOROTIC = "osteoporotic"
METASTATIC = "metastatic"

# How strongly the signs of one vertebra go together: a conspicuous metastasis destroys the cortex and
# reaches the pedicle; an early one shows little. [O]
SIGN_CORRELATION = 0.5
# Sampling standard deviations of marrow around its patient-and-age mean, split by the ICC of the spec.
DENSITY_SD = 36.0  # HU; within the 38-44 HU of row 1 (L1 by decade), a little less as age is modelled
SIGNAL_SD = 0.20  # of muscle signal [O]
TEXTURE_SD = 0.25  # of the logarithm of texture amplitude and of striation [O]


@dataclass(frozen=True)
class Appearance:
    """The distribution of the signs of one class of fractures.

    Parameters
    ----------
    crush : float
        Probability of a crush; see :data:`WEDGE` for the rest.
    lateral_angle : tuple of float
        Mean and standard deviation of the left-right collapse angle, degrees.
    angled, convex_wall, retropulsion, pedicle, arch, cortex, focal_mass, thin_rim, gas, fluid, band : float
        Probabilities of the single signs.
    line_edge : tuple of float
        Range of the 10-90 % width of the edges of a fracture line on CT, mm.
    necrosis : float
        Probability that a mass has a part that does not enhance.
    acute, t1_complete : float
        Probability of a low T1 signal at all, and that it fills the whole body.
    t1_ratio : tuple of float
        T1 signal of the replaced marrow relative to muscle: mean, standard deviation.
    t1_margin : tuple of float
        Range of the 10-90 % width of the border of the low signal, mm.
    lesion : float
        Probability of a focal lytic, mixed or blastic lesion on CT.
    sclerosis : tuple of float
        Range of HU added by impaction under the broken endplate.
    stir_ratio : tuple of float
        STIR signal of the changed marrow relative to normal marrow: mean, standard deviation.
    """

    crush: float
    lateral_angle: tuple[float, float]
    angled: float
    convex_wall: float
    retropulsion: float
    pedicle: float
    arch: float
    cortex: float
    focal_mass: float
    thin_rim: float
    gas: float
    fluid: float
    band: float
    line_edge: tuple[float, float]
    necrosis: float
    acute: float
    t1_complete: float
    t1_ratio: tuple[float, float]
    t1_margin: tuple[float, float]
    lesion: float
    sclerosis: tuple[float, float]
    stir_ratio: tuple[float, float]


APPEARANCES = {
    OSTEOPOROTIC: Appearance(
        crush=0.05,  # row 7: wedge or biconcave; share [O]
        lateral_angle=(3.1, 2.8),  # row 11: Suzuki 2017
        angled=0.13,  # row 10: concave in 20 of 23
        convex_wall=0.06,  # row 16: specificity 94 %
        retropulsion=0.16,  # row 16: sensitivity 16 %
        pedicle=0.06,  # row 19: specificity 94 %
        arch=0.03,  # row 20: 0 of 23, kept off zero
        cortex=0.08,  # rows 13 and 38: fractured, not destroyed, but for the pseudo-malignant; [O]
        focal_mass=0.03,  # row 21: 0 of 23, kept off zero
        thin_rim=0.40,  # row 22: thin and circumferential; frequency [O]
        gas=0.13,  # row 35: 11 of 96 fractures, 11.5 %; a little more, so that small cohorts hold one
        fluid=0.40,  # row 36: Baur 2002, 21 of 52
        band=0.70,  # row 30: Takigawa's odds ratio of 0.047 against the 0.10 below, which is [O]
        line_edge=(0.5, 1.2),  # row 18: distinct; widths [O]
        necrosis=0.0,  # row 24 names tumours only
        acute=0.75,  # rows 27 and 32: old fractures have normal marrow; share [O]
        t1_complete=0.35,  # row 6: Ahn 2016, 26 of 75 acute osteoporotic fractures
        t1_ratio=(1.13, 0.12),  # [O], next to the metastatic 1.075: row 26, the ratio hardly separates
        t1_margin=(1.0, 3.0),  # row 25: sharp in 13 of 13; widths [O]
        lesion=0.05,  # row 38: osteolysis of pseudo-malignant collapse; frequency [O]
        sclerosis=(30.0, 130.0),  # formula 19: impaction sclerosis near the endplate; HU [O]
        stir_ratio=(2.8, 0.4),  # row 31: acute benign above 2.5; spread [O]
    ),
    METASTATIC: Appearance(
        crush=0.45,  # row 12: flat collapse in advanced disease; share [O]
        lateral_angle=(7.0, 4.5),  # row 11: Suzuki 2017
        angled=0.45,  # row 10: 13 of 29
        convex_wall=0.70,  # row 16: sensitivity 70 %
        retropulsion=0.02,  # row 16: specificity 100 %, kept off zero
        pedicle=0.80,  # row 19: sensitivity 80 %
        arch=0.72,  # row 20: 21 of 29
        cortex=0.70,  # row 14; frequency [O]
        focal_mass=0.55,  # row 21: 16 of 29
        thin_rim=0.10,  # [O]
        gas=0.01,  # row 35 and warning 8: hardly ever, but not never
        fluid=0.06,  # row 36: Baur 2002, 2 of 35
        band=0.10,  # [O], see above
        line_edge=(2.5, 4.0),  # row 18: indistinct; widths [O]
        necrosis=0.60,  # row 24; share [O]
        acute=0.97,  # row 26: infiltrated marrow is dark in 98 %
        t1_complete=0.74,  # row 25: 20 of 27
        t1_ratio=(1.075, 0.12),  # row 28: lesion to muscle
        t1_margin=(2.0, 6.0),  # row 25: ill-defined in 5 of 7; widths [O]
        lesion=0.88,  # row 17; the rest infiltrates the marrow without changing HU; [O]
        sclerosis=(0.0, 70.0),  # [O]
        stir_ratio=(1.9, 0.35),  # row 31: malignant below 2.0; spread [O]
    ),
}

# Drawn alike in both classes, so that their signs must not separate them. Severity is a confounder, no
# sign of either diagnosis; warning 5: enhancement did not help; fracture lines occur in both.
HEIGHT_LOSS_SPAN = 0.35  # largest height loss is 0.20 plus up to this share of the normal height [O]
WEDGE = {
    "thoracic": 0.69,
    "lumbar": 0.43,
}  # of the fractures that are no crush; the rest biconcave (row 7) [O]
ENHANCEMENT = (0.70, 0.20)  # relative gain of T1 signal: mean, standard deviation [O]
ENHANCEMENT_SPREAD = (0.2, 0.6)  # range of its relative standard deviation within a body [O]
LINE = 0.60  # probability of a fracture line on CT; its edges differ (row 18) [O]
# Row 4: horizontal trabeculae go first, so bone of patients without cancer looks more striated, by density
# (see `thinning`) and by this factor [O].
STRIATION_FACTOR = 1.2

# Lytic, mixed, blastic. Row 17 names lytic and mixed (SINS adds blastic); shares [O].
LESION_KINDS = (("lytic", 0.50), ("mixed", 0.33), ("blastic", 0.17))


def normal_density(age: float) -> float:
    """Return the mean trabecular density of L1 at an age.

    Parameters
    ----------
    age : float
        Years.

    Returns
    -------
    float
        HU; the straight line through 226 HU at 30 and 89 HU at 90 years (row 1 of the sign table).

    Examples
    --------
    >>> normal_density(30.0), normal_density(90.0)
    (226.0, 89.0)
    """
    return 226.0 - (226.0 - 89.0) * (age - 30.0) / 60.0
