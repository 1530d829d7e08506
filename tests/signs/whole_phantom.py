"""One column with everything that signs look for, on every sequence: what the proofs over all signs measure.

T11 to L5: T12 is a wedge with a cleft, L3 a collapsed body with a lesion that reaches the left pedicle, the
posterior wall, the canal and the tissue beside it, L4 has an open pit of the superior endplate. In the last
variant T12 and L4 are flat discs. `more` draws two findings again, for those who count vertebrae: a pocket of
gas or fluid in L5, round or a wedge, and a canal that is narrowed at L1 as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np
from arch_phantoms import Look, _canal, _local, _rim
from bone_phantoms import SHELL_MM, depth_below_wall
from phantoms import Body, Column, straight
from scipy import ndimage

from radiomics_vert.signs.nouns import Layer, SignScan

CLEFT, NARROWED, LESION, POCKET = 2, 3, 5, 7  # numbers of the vertebrae
ALIVE, DEAD = 1, 2  # values of the rim's mask


@dataclass(frozen=True)
class Variant:
    """How far the three vertebrae went: bodies, size of lesion and cleft, rim in mm, narrowing in mm.

    `dead`: height in mm below which the rim does not enhance.
    """

    wedge: Body
    collapsed: Body
    pitted: Body
    lesion: float
    cleft: float
    rim: tuple[tuple[float, float, float], ...]
    narrowed: tuple[float, float, float, float]
    dead: float = -99.0
    round_pocket: bool = True

    @property
    def bodies(self) -> tuple[Body, ...]:
        """From T11 to L5."""
        return (Body(), self.wedge, Body(), Body(), self.collapsed, self.pitted, Body())

    def look(self, number: int, more: bool = False) -> Look:
        """Canal and rim of a vertebra."""
        if more and number == NARROWED:
            return Look(narrowed=self.narrowed)
        return Look(narrowed=self.narrowed, rim=self.rim) if number == LESION else Look()


VARIANTS = (
    Variant(
        Body(heights=(18.0, 21.5, 25.0)),
        Body(heights=(18.5, 17.0, 19.5), lateral_deg=7.0, bulge=4.0),
        Body(pit=5.0),
        1.0,
        1.0,
        ((12.0, 40, 110), (5.0, -40, 40)),
        (1, 9, 5, 6),
    ),
    Variant(
        Body(heights=(21.0, 23.5, 25.5)),
        Body(heights=(22.0, 19.0, 23.5), lateral_deg=3.0, bulge=2.5, superior_share=0.5),
        Body(pit=3.0),
        0.75,
        0.8,
        ((5.0, -180, 180),),
        (-9, 0, 9, 6),
        0.0,
    ),
    Variant(
        Body(heights=(14.5, 18.0, 24.0)),
        Body(heights=(20.0, 15.0, 22.0), angled=True, bulge=5.0, bulge_kind="triangle", bulge_at=0.65),
        Body(moved_back=3.0, pit=4.0),
        1.15,
        1.2,
        ((8.0, 20, 100), (4.0, -100, -60)),
        (-9, 9, 4, 6),
        round_pocket=False,
    ),
    # Flat discs: T12 and L4 have lost six tenths of all heights, L3 nearly so.
    Variant(
        Body(heights=(8.0, 7.5, 8.5)),
        Body(heights=(13.0, 11.0, 14.0)),
        Body(heights=(9.5, 9.0, 9.8)),
        0.8,
        0.7,
        ((10.0, -120, -20),),
        (-9, -2, 6, 5),
        round_pocket=False,
    ),
)

# By sequence: soft tissue, marrow, shell, arch, lesion, cleft, disc, fluid, mass.
SIGNALS = {
    "CT": (40.0, 150.0, 700.0, 350.0, 10.0, -900.0, 90.0, 10.0, 55.0),
    "T1": (70.0, 200.0, 40.0, 180.0, 85.0, 60.0, 95.0, 30.0, 80.0),
    "T2": (60.0, 180.0, 40.0, 160.0, 330.0, 640.0, 110.0, 650.0, 250.0),
    "STIR": (60.0, 90.0, 30.0, 90.0, 270.0, 560.0, 120.0, 600.0, 250.0),
    "T1_CONTRAST": (85.0, 230.0, 45.0, 210.0, 190.0, 62.0, 100.0, 30.0, 150.0),
    "IN_PHASE": (80.0, 300.0, 40.0, 280.0, 150.0, 120.0, 100.0, 60.0, 120.0),
    "OPPOSED_PHASE": (80.0, 150.0, 40.0, 140.0, 146.0, 118.0, 100.0, 60.0, 118.0),
    "FAT_FRACTION": (0.05, 0.50, 0.30, 0.48, 0.04, 0.02, 0.03, 0.01, 0.05),
    "ADC": (900.0, 450.0, 300.0, 450.0, 1000.0, 2400.0, 1500.0, 2900.0, 1100.0),
}
# Of the mass before contrast medium: what of it is dead keeps this signal.
BEFORE = {"CT": SIGNALS["CT"][0], "T1_CONTRAST": SIGNALS["T1"][8]}
NOISE = 0.04  # of the marrow's signal
COMPANIONS = {"T1_CONTRAST": ("T1",), "OPPOSED_PHASE": ("IN_PHASE",), "T2": ("T1",), "CT": ("NATIVE",)}
SEQUENCES = tuple(SIGNALS)
TABLES = {"calibration": {"slope": 0.8, "intercept": -5.0}, "norm": {"hu": 200.0}}
SPACING = (1.5, 1.5, 1.5)


def column(variant: int) -> Column:
    """A lordotic column that leans a little."""
    return straight(*VARIANTS[variant].bodies, lordosis=(4.0,) * 6, tilt=4.0)


@cache
def shares(
    spacing: tuple[float, float, float],
    shift: tuple[float, float, float],
    variant: int = 0,
    more: bool = False,
    samples: int = 2,
):
    """The scan without image, and by tissue the share of each voxel that it fills."""
    drawn, kind = column(variant), VARIANTS[variant]
    scan = drawn.scan(spacing, shift=shift, samples=samples, give_body=True, margin=32.0)
    low, _ = drawn._reach(32.0)
    origin = low + np.array(shift)[::-1] * np.array(spacing)[::-1]
    shape = scan.labels.shape
    found = {name: np.zeros(shape, np.float32) for name in ("marrow", "shell", "arch", "lesion", "cleft")}
    canal, mass = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    offsets = (np.arange(samples) + 0.5) / samples - 0.5
    for number, (body, (centre, axes)) in enumerate(zip(drawn.bodies, drawn.poses, strict=True), 1):
        near = ndimage.binary_dilation(scan.labels == number, iterations=1)
        box = ndimage.find_objects(near.astype(np.int8))[0]
        for offset in product(offsets, repeat=3):
            parts = _parts(kind, number, more, body, *_local(centre - origin, axes, box, spacing, offset))
            for name, share in parts.items():
                found[name][box] += share / samples**3
        wide = tuple(
            slice(max(0, axis.start - int(28 / step)), min(size, axis.stop + int(28 / step)))
            for axis, step, size in zip(box, spacing, shape, strict=True)
        )
        x, p, z = _local(centre - origin, axes, wide, spacing)
        look = kind.look(number, more)
        canal[wide] |= _canal(look, x, p - body.depth / 2, z)
        if number == LESION:
            rim = _rim(body, look, x, p, z)
            alive = np.broadcast_to(z >= kind.dead, rim.shape)
            mass[wide] = np.where(rim > 0, np.where(alive, ALIVE, DEAD), mass[wide])
    mass[scan.labels > 0] = 0
    return replace(scan, layers=_layers(scan, canal, mass)), found, canal, mass


def _parts(kind, number, more, body, x, p, z):
    inside, arch = body.inside(x, p, z)
    superior, inferior = body.plates(x, p / body.depth + 0.5)
    shell = inside & ((depth_below_wall(body, x, p) < SHELL_MM) | (z > superior - 1) | (z < inferior + 1))
    lesion = np.zeros_like(inside)
    cleft = np.zeros_like(inside)
    if number == LESION:
        ball = ((x - 8) / 13) ** 2 + ((p - 8) / 12) ** 2 + (z / 9) ** 2 <= kind.lesion**2
        lesion = inside & ball & (z < superior - 1) & (z > inferior + 1) | arch & (x > 8) & (p < 34)
    if number == CLEFT:
        cleft = inside & ((x / 12) ** 2 + ((p + 2) / 9) ** 2 + ((z - 3) / 2.2) ** 2 <= kind.cleft**2)
    if more and number == POCKET:
        cleft = inside & _pocket(kind, x, p, z)
    marrow = inside & ~shell & ~lesion & ~cleft
    return {
        "marrow": marrow,
        "shell": shell & ~lesion & ~cleft,
        "arch": arch & ~lesion,
        "lesion": lesion,
        "cleft": cleft,
    }


def _pocket(kind, x, p, z):
    """A ball of 6 mm, or a wedge of 16 mm that is 10 mm thick in front, 3 mm below the superior endplate."""
    if kind.round_pocket:
        return x**2 + p**2 + (z - 4) ** 2 <= 36
    deep, along = 10 - z, p / 16 + 0.5
    return (np.abs(x) <= 10) & (along >= 0) & (along <= 1) & (deep >= 0) & (deep <= 10 * (1 - along))


def _layers(scan: SignScan, canal: np.ndarray, mass: np.ndarray) -> dict[str, Layer]:
    inner = ndimage.binary_erosion(canal, iterations=2)
    parts = canal + inner  # 1 fluid, 2 cord
    map_ = np.zeros(canal.shape, np.uint8)
    discs = {}
    for number, level in list(scan.levels.items())[:-1]:
        pair = [
            ndimage.binary_dilation(scan.body & (scan.labels == n), iterations=5)
            for n in (number, number + 1)
        ]
        between = pair[0] & pair[1] & (scan.labels == 0) & (canal == 0)
        # The pit of the next vertebra below is filled by the disc above it.
        map_[between] = number
        discs[f"disc_{level}"] = Layer(map_, (number,))
    muscle = np.zeros(canal.shape, np.uint8)
    muscle[:, -6:-2, 2:12], muscle[:, -6:-2, -12:-2] = 1, 2
    return {
        "canal": Layer(parts, (1, 2)),
        "csf": Layer(parts, (1,)),
        "cord": Layer(parts, (2,)),
        "autochthon_right": Layer(muscle, (1,)),
        "autochthon_left": Layer(muscle, (2,)),
        "paravertebral": Layer(mass, (ALIVE, DEAD)),
        **discs,
    }


def image(
    sequence: str, spacing=SPACING, shift=(0.0, 0.0, 0.0), variant=0, more=False, enhanced=True
) -> np.ndarray:
    """The image of a sequence, with noise of a fixed seed."""
    scan, found, canal, mass = shares(spacing, shift, variant, more)
    soft, marrow, shell, arch, lesion, cleft, disc, fluid, tumour = SIGNALS[sequence]
    values = {"marrow": marrow, "shell": shell, "arch": arch, "lesion": lesion, "cleft": cleft}
    drawn = np.full(scan.labels.shape, soft)
    for name, layer in scan.layers.items():
        if name.startswith("disc"):
            drawn[layer.mask()] = disc
    drawn[canal > 0] = fluid
    drawn[scan.layers["cord"].mask()] = (soft + marrow) / 2
    drawn[mass > 0] = tumour if enhanced else soft
    if enhanced and sequence in BEFORE:
        drawn[mass == DEAD] = BEFORE[sequence]
    drawn += sum(share * (values[name] - drawn) for name, share in found.items())
    noise = np.random.default_rng(len(sequence)).normal(0, NOISE * marrow, drawn.shape)
    return (drawn + noise).astype(np.float32)


def whole_scan(
    sequence: str, spacing=SPACING, shift=(0.0, 0.0, 0.0), variant: int = 0, more: bool = False
) -> SignScan:
    """The column as one sequence shows it, with all masks and companions."""
    companions = {
        other: image("CT", spacing, shift, variant, more, enhanced=False)
        if other == "NATIVE"
        else image(other, spacing, shift, variant, more)
        for other in COMPANIONS.get(sequence, ())
    }
    if sequence == "CT":
        companions = {"CT": companions["NATIVE"]}
    scan = shares(spacing, shift, variant, more)[0]
    drawn = image(sequence, spacing, shift, variant, more)
    return replace(scan, image=drawn, companions=companions, tables=TABLES)
