"""The truth of a synthetic cohort: what is known about each patient and each vertebra."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from radiomics_vert.cohort.levels import Level


@dataclass(frozen=True)
class Vertebra:
    """Everything that the generator sets for one vertebra; a row of `truth.csv`.

    Lengths are in mm, angles in degrees, densities in HU, T1 signals relative to muscle. Signs of a
    fracture are zero, empty or False where the vertebra is not fractured.

    Parameters
    ----------
    level : Level
        The vertebral level.
    scale : float
        Stature of the patient relative to the table of sizes.
    width, depth : float
        Of the body.
    normal_anterior, normal_middle, normal_posterior : float
        Heights before the fracture, at 5, 50 and 95 % of the depth.
    anterior, middle, posterior : float
        Heights now.
    density_effect, signal_effect, texture_effect : float
        The vertebra's own standard-normal deviations.
    trabecular_hu, texture_hu, striation, cortex_hu : float
        Mean and standard deviation of trabecular density, vertical to horizontal correlation length,
        density of the cortex.
    marrow_t1 : float
        Normal marrow.
    fractured : bool
        Whether it is fractured.
    diagnosis, appearance : str
        `osteoporotic` or `metastatic`: the true class, and the class whose signs it shows.
    fracture_type : str
        `wedge`, `biconcave` or `crush`.
    genant_grade : int
        0 to 3, from the largest height loss (0.20, 0.25, 0.40).
    height_loss : float
        Largest of the three relative losses.
    superior_share : float
        Share of the loss on the side of the superior endplate.
    angled : bool
        Depressed endplate angled rather than concave.
    lateral_angle : float
        Signed angle between the endplates in the coronal plane.
    schmorl_depth : float
        Depth of a node of the disc in the superior endplate.
    sclerosis_hu : float
        Density added by impaction under the broken endplate.
    gas : bool
        Gas-filled cleft under the superior endplate.
    fluid : bool
        Fluid-filled cleft close under the superior endplate.
    line : bool
        Dense fracture line on CT, parallel to the superior endplate.
    line_depth, line_edge : float
        Its depth as a share of the height, and the 10-90 % width of its edges.
    band : bool
        Band of low signal on MRI, in the same place.
    lesion_kind : str
        `lytic`, `mixed`, `blastic` or empty.
    lytic_fraction, blastic_fraction : float
        Shares of the body's volume.
    foci : int
        Number of spheres that a lesion grew from.
    margin : float
        10-90 % width of the border of lesion and low T1 signal.
    cortex_destroyed : bool
        The lytic lesion has removed the cortex it touches.
    bulge, retropulsion : float
        Convex posterior wall, angular fragment of its upper part; one of them at most.
    pedicle_side : int
        1 left, -1 right, 0 not involved.
    arch : bool
        The lesion fills the arch as well.
    rim : float
        Largest thickness of the paravertebral soft tissue.
    rim_side : int
        0 circumferential, 1 or -1 a mass on the left or right.
    necrosis : float
        Share of the mass's thickness, in its middle, that does not enhance.
    t1_pattern : str
        `none`, `band`, `lesion` or `complete`.
    t1_fraction, t1_ratio : float
        Share of the body that lost its marrow signal, and the signal there.
    stir_ratio : float
        STIR signal of the same share, relative to normal marrow.
    enhancement, enhancement_spread : float
        Relative gain of T1 signal by contrast medium, and its relative standard deviation within the body.
    """

    level: Level
    scale: float
    width: float
    depth: float
    normal_anterior: float
    normal_middle: float
    normal_posterior: float
    anterior: float
    middle: float
    posterior: float
    density_effect: float = 0.0
    signal_effect: float = 0.0
    texture_effect: float = 0.0
    trabecular_hu: float = 150.0
    texture_hu: float = 30.0
    striation: float = 1.3
    cortex_hu: float = 450.0
    marrow_t1: float = 1.6
    fractured: bool = False
    diagnosis: str = ""
    appearance: str = ""
    fracture_type: str = ""
    genant_grade: int = 0
    height_loss: float = 0.0
    superior_share: float = 0.5
    angled: bool = False
    lateral_angle: float = 0.0
    schmorl_depth: float = 0.0
    sclerosis_hu: float = 0.0
    gas: bool = False
    fluid: bool = False
    line: bool = False
    line_depth: float = 0.4
    line_edge: float = 1.0
    band: bool = False
    lesion_kind: str = ""
    lytic_fraction: float = 0.0
    blastic_fraction: float = 0.0
    foci: int = 0
    margin: float = 1.5
    cortex_destroyed: bool = False
    bulge: float = 0.0
    retropulsion: float = 0.0
    pedicle_side: int = 0
    arch: bool = False
    rim: float = 0.0
    rim_side: int = 0
    necrosis: float = 0.0
    t1_pattern: str = "none"
    t1_fraction: float = 0.0
    t1_ratio: float = 0.0
    stir_ratio: float = 0.0
    enhancement: float = 0.15
    enhancement_spread: float = 0.2

    @property
    def heights(self) -> tuple[float, float, float]:
        """Anterior, middle and posterior height, mm."""
        return self.anterior, self.middle, self.posterior

    @property
    def normal_heights(self) -> tuple[float, float, float]:
        """The same before the fracture, mm."""
        return self.normal_anterior, self.normal_middle, self.normal_posterior

    def row(self) -> dict[str, object]:
        """Return every parameter as a table row."""
        return {**asdict(self), "level": str(self.level)}


@dataclass(frozen=True)
class Patient:
    """One synthetic patient; the fields of the patient come first in each row of `truth.csv`.

    Parameters
    ----------
    subject_id : str
        `SYN001`, `SYN002`, ...
    index : int
        Position in the cohort, from 0; picks the patient's random numbers.
    cancer : bool
        At least one fracture is metastatic.
    age : int
        Years.
    sex : str
        `F` or `M`.
    site : str
        Which of three imaging sites.
    contrast : str
        `none` or `portal` phase of the CT.
    density_effect, signal_effect, texture_effect, conspicuity : float
        The patient's standard-normal deviations, shared by all vertebrae.
    vertebrae : tuple of Vertebra
        From the head down.
    """

    subject_id: str
    index: int
    cancer: bool
    age: int
    sex: str
    site: str
    contrast: str
    density_effect: float
    signal_effect: float
    texture_effect: float
    conspicuity: float
    vertebrae: tuple[Vertebra, ...]

    def rows(self) -> list[dict[str, object]]:
        """Return one table row per vertebra."""
        shared = {f"patient_{key}": value for key, value in vars(self).items() if key.endswith("_effect")}
        facts = {
            key: getattr(self, key) for key in ("subject_id", "cancer", "age", "sex", "site", "contrast")
        }
        facts["patient_conspicuity"] = self.conspicuity
        return [{**facts, **shared, **vertebra.row()} for vertebra in self.vertebrae]
