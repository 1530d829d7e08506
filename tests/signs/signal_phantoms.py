"""Columns of vertebrae with known marrow: the truth that the signal signs are tested against.

python tests/signs/signal_phantoms.py    write signal_table.csv anew

The geometry is that of `phantoms`; marrow is a function of the position in its vertebra, averaged over
sub-samples of each voxel (partial volume), with noise of a fixed seed. Everything true is arithmetic of
the drawing; the trabecular body begins 2 mm inside the cortex within the slices, and one voxel inside it
across them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from math import gamma, hypot, pi
from pathlib import Path

import numpy as np
import pandas as pd
from phantoms import OUTLINE, Body, amid

from radiomics_vert.imaging.preprocessing import slice_axis
from radiomics_vert.signs import SignScan, Spine, measure_spine, prepare_spine
from radiomics_vert.signs.nouns import Layer

TABLE = Path(__file__).with_name("signal_table.csv")
# A texture gives relative signal from local x, p (mm) and the depths below both endplates (mm).
Texture = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]

GRIDS = {
    "1 mm": ((1.0, 1.0, 1.0), (0.3, 0.6, 0.1)),
    "0.5 mm": ((0.5, 0.5, 0.5), (0.2, 0.5, 0.8)),
    "sagittal 4 mm": ((0.7, 0.7, 4.0), (0.0, 0.4, 0.7)),
    "axial 3 mm": ((3.0, 0.8, 0.8), (0.6, 0.2, 0.5)),
    "coronal 3 mm": ((0.8, 3.0, 0.8), (0.6, 0.2, 0.5)),
}
BODY, HEIGHT, CUT = Body(arch=False), 26.0, 2.0  # CUT: of the body, no trabecular bone within slices
# Coarser ones, for tests in which size does not matter.
MORE = {"3 mm": ((2.5, 1.5, 3.0), (0.4, 0.1, 0.7)), "3 mm, shifted": ((2.5, 1.5, 3.0), (0.9, 0.5, 0.2))}
MUSCLE, DISC, CORD, FLUID = 0.4, 0.5, 2.37, 5.0  # signal over normal marrow's; cord and fluid: on STIR


def plain(x: np.ndarray, p: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """Normal marrow."""
    return np.ones(np.broadcast(x, p, top).shape)


def slab(value: float, depth: float, width: float = 0.0, under: str = "superior") -> Texture:
    """Marrow of another signal down to a depth under one endplate; 10-90 % width of its lower border."""

    def texture(x: np.ndarray, p: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
        below = (top if under == "superior" else bottom) - depth
        share = (below > 0) if width == 0 else 1 / (1 + np.exp(-np.clip(below * 4.394 / width, -50, 50)))
        return value + (1 - value) * share + 0 * (x + p)

    return texture


def halves(value: float, other: float, depth: float) -> Texture:
    """One signal down to a depth below the superior endplate, another one below."""

    def texture(x: np.ndarray, p: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
        return np.where(top < depth, value, other) + 0 * (x + p)

    return texture


def graded(upper: float, lower: float) -> Texture:
    """Signal that changes evenly from the superior to the inferior endplate."""

    def texture(x: np.ndarray, p: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
        return upper + (lower - upper) * top / HEIGHT + 0 * (x + p)

    return texture


def balls(value: float, radius: float, *centres: tuple[float, float, float]) -> Texture:
    """Spheres of another signal at x, p, depth below the superior endplate."""

    def texture(x: np.ndarray, p: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
        found = np.ones(np.broadcast(x, p, top).shape)
        for a, b, c in centres:
            found[(x - a) ** 2 + (p - b) ** 2 + (top - c) ** 2 <= radius**2] = value
        return found

    return texture


def plate(
    value: float, lateral: float, along: float, depths: tuple[float, float], tilt: float = 0
) -> Texture:
    """A plate of another signal: widths in x and p, from one depth to the other, tilted in degrees."""

    def texture(x: np.ndarray, p: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
        deep = top + np.tan(np.radians(tilt)) * p
        inside = (np.abs(x) <= lateral / 2) & (np.abs(p) <= along / 2)
        return np.where(inside & (deep >= depths[0]) & (deep <= depths[1]), value, 1.0)

    return texture


def cut_wedge(
    value: float, lateral: float, along: float, ends: tuple[float, float], peak: float = 0.0
) -> Texture:
    """A wedge of another signal, 2.5 mm below the endplate: thick at a share of its length, thin at its ends.

    `ends` are the thicknesses there and at the ends; a thin end of 0 makes a triangle, equal ends a plate.
    """

    def texture(x: np.ndarray, p: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
        t = p / along + 0.5
        far = np.where(t < peak, (peak - t) / max(peak, 1e-9), (t - peak) / max(1 - peak, 1e-9))
        deep = top - 2.5
        inside = (np.abs(x) <= lateral / 2) & (t >= 0) & (t <= 1) & (deep >= 0)
        return np.where(inside & (deep <= ends[0] + (ends[1] - ends[0]) * far), value, 1.0)

    return texture


@dataclass(frozen=True, eq=False)
class Drawing:
    """A column on a grid, ready to be painted: positions of the samples of every vertebra."""

    spine: Spine
    samples: list[list[tuple[tuple[slice, ...], np.ndarray, tuple[np.ndarray, ...]]]]
    layers: dict[str, Layer]


@cache
def draw(grid: str, body: Body = BODY, neighbours: int = 1, bend: float = 6.0, turn: float = 0.0) -> Drawing:
    """Draw a column of bodies, lordotic and leaning, with muscle, discs, cord and fluid beside it.

    `turn`: of every vertebra about its own axis, degrees; the column is half as scoliotic.
    """
    spacing, shift = (GRIDS | MORE)[grid]
    more = {"lordosis": (bend,) * (2 * neighbours), "scoliosis": (turn / 2,) * (2 * neighbours)}
    column = amid(body, neighbours=neighbours, tilt=bend, rotation=turn, **more)
    scan = column.scan(spacing, shift=shift, region="body")
    low, _ = column._reach(12.0)
    step, shape = np.array(spacing), scan.labels.shape
    origin = low + np.array(shift)[::-1] * step[::-1]
    offsets = [(np.arange(n) + 0.5) / n - 0.5 for n in (max(1, round(s / 0.9)) for s in spacing)]
    samples = []
    for offset in product(*offsets):
        drawn = []
        for each, (centre, axes) in zip(column.bodies, column.poses, strict=True):
            reach = np.abs(axes).T @ np.array([24.0, 18.0, 16.0])
            first = np.clip(((centre - reach - origin)[::-1] / step).astype(int), 0, shape)
            last = np.clip(((centre + reach - origin)[::-1] / step).astype(int) + 2, 0, shape)
            box = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
            k, j, i = np.ogrid[box]
            at = ((i + offset[2]) * step[2], (j + offset[1]) * step[1], (k + offset[0]) * step[0])
            x, p, z = (sum(axis[c] * (at[c] + origin[c] - centre[c]) for c in range(3)) for axis in axes)
            inside, _ = each.inside(x, p, z)
            superior, inferior = each.plates(x, p / each.depth + 0.5)
            drawn.append(
                (box, inside, (x[inside], p[inside], (superior - z)[inside], (z - inferior)[inside]))
            )
        samples.append(drawn)
    layers = _tissues(scan)
    return Drawing(prepare_spine(replace(scan, layers=layers), "T1"), samples, layers)


def _tissues(scan: SignScan) -> dict[str, Layer]:
    """Blocks of muscle, fluid and cord at the edges of the image, and the discs' middles."""
    map_ = np.zeros(scan.labels.shape, np.uint8)
    map_[:, :, :2], map_[:, -4:-2, 3:-3], map_[:, -2:, 3:-3] = 1, 2, 3
    layers = {"autochthon_left": Layer(map_, (1,)), "cord": Layer(map_, (2,)), "csf": Layer(map_, (3,))}
    middle = tuple(slice(int(n * 0.42), int(n * 0.58) + 1) for n in scan.labels.shape[1:])
    for label, level in list(scan.levels.items())[:-1]:
        heights = [
            np.flatnonzero((scan.labels[:, *middle] == each).any(axis=(1, 2))) for each in (label, label + 1)
        ]
        map_[heights[1].max() + 1 : heights[0].min(), *middle] = 3 + label
        layers[f"disc_{level}"] = Layer(map_, (3 + label,))
    return layers


SIGNALS = {"autochthon_left": MUSCLE, "cord": CORD}


def paint(
    drawing: Drawing,
    marrow: Texture,
    normal: float,
    *,
    noise: float = 0.05,
    trend: float = 0.0,
    seed: int = 0,
    fluid: float = FLUID,
) -> np.ndarray:
    """Paint the middle vertebra with a texture, its neighbours plain, tissues beside; add noise."""
    labels = drawing.spine.scan.labels
    middle = (len(drawing.spine.vertebrae) + 1) // 2
    total = np.zeros(labels.shape)
    for sample in drawing.samples:
        image = np.full(labels.shape, MUSCLE)
        for number, (box, inside, position) in enumerate(sample, 1):
            own = marrow if number == middle else plain
            image[box][inside] = (1 + trend * (number - middle)) * own(*position)
        total += image
    total /= len(drawing.samples)
    signals = {**SIGNALS, "csf": fluid}
    for name, layer in drawing.layers.items():
        total[layer.mask()] = signals.get(name, DISC)
    return normal * (total + np.random.default_rng(seed).normal(0, noise, labels.shape))


@dataclass(frozen=True)
class SignalCase:
    """A phantom: sequence, signal of normal marrow, marrow of the middle vertebra, what is true.

    Truth takes how much of the body is no trabecular bone along z, y, x (2 mm, one voxel across slices).
    """

    sequence: str
    normal: float
    marrow: Texture
    truth: Mapping[str, float | Callable[[float, float, float], float]]
    companions: Mapping[str, tuple[float, Texture]] = field(default_factory=dict)
    noise: float = 0.05
    fluid: float = FLUID


def volume(z: float, y: float, x: float) -> float:
    """Of the trabecular body, mm3; its outline is nearly the smaller one of the same kind."""
    share = gamma(1 + 1 / OUTLINE) ** 2 / gamma(1 + 2 / OUTLINE)
    return (HEIGHT - 2 * z) * (32 - 2 * y) * (44 - 2 * x) * share


def upper(depth: float) -> Callable[[float, float, float], float]:
    """Share of the trabecular body down to a depth."""
    return lambda z, y, x: (depth - z) / (HEIGHT - 2 * z)


THREE = ((-12.0, -6.0, 9.0), (12.0, -6.0, 9.0), (0.0, 7.0, 16.0))
EVEN = {"T1": (200.0, plain)}
CASES = {
    "plain": SignalCase("T1", 400, plain, {
        "t1_rep_frac": 0, "t1_spared_frac": 1, "trom": 1, "n_foci": 0, "margin_absent": 0, "band_score": 0,
        "t1_muscle": 1 / MUSCLE, "t1_disc": 1 / DISC}),
    "under the endplate": SignalCase("T1", 400, slab(0.4, 11), {
        "t1_rep_frac": upper(11), "endplate_localisation": lambda z, y, x: 1 - (z + 11) / HEIGHT,
        "n_foci": 1, "largest_share": 1, "margin_absent": 0}),
    "diffuse": SignalCase("T1", 400, slab(0.4, 99), {
        "t1_rep_frac": 1, "t1_spared_frac": 0, "trom": 0.4, "n_foci": 1, "largest_share": 1,
        "margin_absent": 1, "endplate_localisation": 0, "t1_muscle": 1, "t1_disc": 0.8}),
    "three foci": SignalCase("T1", 400, balls(0.4, 6, *THREE), {
        "t1_rep_frac": lambda z, y, x: 3 * 4 / 3 * pi * 6**3 / volume(z, y, x),
        "n_foci": 3, "largest_share": 1 / 3}),
    "margin 1 mm": SignalCase("T1", 400, slab(0.4, 13, 1.0), {"margin_width_mm": 1}),
    "margin 3 mm": SignalCase("T1", 400, slab(0.4, 13, 3.0), {"margin_width_mm": 3}),
    "margin 6 mm": SignalCase("T1", 400, slab(0.4, 13, 6.0), {"margin_width_mm": 6}),
    "band": SignalCase("T1", 400, plate(0.5, 28, 20, (9, 12)), {"band_score": 28 / 44 * (1 - 3 / 20)}),
    "band, tilted 20 deg": SignalCase("T2", 300, plate(0.5, 28, 20, (10, 13), 20), {
        "band_score": 28 / 44 * (1 - 3 / 20)}),
    "plate, tilted 50 deg": SignalCase("T1", 400, plate(0.5, 28, 14, (11, 15), 50), {"band_score": 0}),
    "edema": SignalCase("STIR", 100, slab(2.8, 11), {
        "edema_frac": upper(11), "stir_ratio": 2.8, "edema_cr": (2.8 - CORD) / (2.8 + CORD),
        "fluid_score": 0}),
    "mild edema": SignalCase("STIR", 100, slab(1.9, 15), {
        "edema_frac": upper(15), "stir_ratio": 1.9, "edema_cr": (1.9 - CORD) / (1.9 + CORD)}),
    "chronic": SignalCase("STIR", 100, plain, {"edema_frac": 0, "stir_ratio": 1, "fluid_score": 0}),
    "fluid cleft": SignalCase("T2", 200, plate(FLUID, 24, 20, (4, 8)), {
        "fluid_score": 24 * 20 * 4 * 24 / 4, "fluid_linear": 1, "fluid_triangular": 0,
        "fluid_focal": 0}, {"T1": (400.0, plate(0.4, 24, 20, (4, 8)))}),
    "thick fluid cleft": SignalCase("T2", 200, plate(FLUID, 28, 20, (4, 11)), {
        "fluid_score": 28 * 20 * 7 * 28 / 7}, {"T1": (400.0, plate(0.4, 28, 20, (4, 11)))}),
    "focal fluid": SignalCase("STIR", 100, balls(FLUID, 5, (0, 0, 9)), {
        "fluid_score": 4 / 3 * pi * 5**3, "fluid_linear": 0}),
    "larger focal fluid": SignalCase("STIR", 100, balls(FLUID, 6.5, (0, 0, 9.5)), {
        "fluid_linear": 0, "fluid_triangular": 0, "fluid_focal": 1}),
    "fluid wedge": SignalCase("STIR", 100, cut_wedge(FLUID, 20, 16, (10, 0)), {
        "fluid_linear": 0, "fluid_triangular": 1, "fluid_focal": 0}),
    "even enhancement": SignalCase("T1_CONTRAST", 260, slab(1.6 / 1.3, 99), {
        "enh_rel": 2, "enh_rcov": 0.6745 * hypot(0.02 * 1.3, 0.02 * 1.6) / 0.6, "enh_nonfrac": 0,
        "enh_hifrac": 1}, EVEN, 0.02),
    "graded enhancement": SignalCase("T1_CONTRAST", 260, graded(1.15 / 1.3, 2.05 / 1.3), {
        "enh_rel": 2, "enh_rcov": lambda z, y, x: 0.9 * (1 - 2 * z / HEIGHT) / 4 / 0.6,
        "enh_bimodality": 1 / 1.8}, EVEN, 0.02),
    "less enhancement": SignalCase("T1_CONTRAST", 260, slab(1.15 / 1.3, 99), {
        "enh_rel": 0.5, "enh_hifrac": 0}, EVEN, 0.02),
    "uneven enhancement": SignalCase("T1_CONTRAST", 260, halves(1.02 / 1.3, 1.9 / 1.3, 11), {
        "enh_nonfrac": upper(11), "enh_hifrac": lambda z, y, x: 1 - upper(11)(z, y, x),
        "enh_bimodality": 1}, EVEN, 0.02),
    "fat replaced": SignalCase("OPPOSED_PHASE", 200, slab(1.05, 99), {
        "sir": 1.05, "drop": -5, "sir_roi": 1.05, "drop_roi": -5}, {"IN_PHASE": (400.0, slab(0.5, 99))}),
    "fat partly replaced": SignalCase("OPPOSED_PHASE", 200, slab(1.05, 11), {
        "sir_roi": 1.05, "drop_roi": -5}, {"IN_PHASE": (400.0, slab(0.5, 11))}),
    "fat partly kept": SignalCase("OPPOSED_PHASE", 200, slab(0.8, 11), {
        "sir_roi": 0.8, "drop_roi": 20}, {"IN_PHASE": (400.0, slab(0.5, 11))}),
    "fat kept": SignalCase("OPPOSED_PHASE", 200, plain, {"sir": 0.5, "drop": 50},
        {"IN_PHASE": (400.0, plain)}),
    "fat fraction 4 of 45 %": SignalCase("FAT_FRACTION", 45, slab(4 / 45, 99), {
        "ff": 0.04, "ff_roi": 0.04, "ff_ratio": 4 / 45}, fluid=0.1),
    "fat fraction 0.12 in part": SignalCase("FAT_FRACTION", 0.45, slab(0.12 / 0.45, 11), {
        "ff_roi": 0.12}, fluid=0.1),
    "fat fraction kept": SignalCase("FAT_FRACTION", 45, plain, {"ff": 0.45, "ff_ratio": 1}, fluid=0.1),
    "diffusion 1.6": SignalCase("ADC", 500, slab(3.2, 99), {
        "adc_med": 1.6, "adc_p10": 1.6 - 1.2816 * 0.025}),
    "diffusion 0.9": SignalCase("ADC", 500, slab(1.8, 99), {
        "adc_med": 0.9, "adc_p10": 0.9 - 1.2816 * 0.025}),
}  # fmt: skip
# 0.5 mm takes long: the cases in which size matters. A border along thick axial slices has no margin, and
# voxels of 3 mm on a sagittal picture show no wedge.
SOME = {
    "0.5 mm": ("under the endplate", "margin 1 mm", "band", "fluid cleft"),
    "axial 3 mm": tuple(name for name in CASES if not name.startswith(("margin", "fluid wedge"))),
    "coronal 3 mm": tuple(name for name in CASES if name != "fluid wedge"),
}


# By case, grid, sign: what is not claimed there, and why.
UNSEEN = {
    ("fluid cleft", "axial 3 mm", "fluid_score"): "it is 1.3 slices thick",
}


def tolerance(sign: str, true: float, spacing: tuple[float, float, float]) -> float:
    """The stated tolerance: a part that any grid has, and one that grows with the coarsest voxel."""
    coarse, along = (max(size - 1.0, 0.0) for size in (max(spacing), spacing[0]))
    share = 0.03 + 0.02 * coarse  # noise puts 2 % of normal voxels beyond two deviations
    rules = {
        "t1_rep_frac": share, "t1_spared_frac": share, "edema_frac": share, "enh_nonfrac": share,
        "enh_hifrac": share, "endplate_localisation": 0.03 + 0.02 * coarse,
        "n_foci": 0, "margin_absent": 0, "largest_share": 0.04,
        "fluid_linear": 0, "fluid_triangular": 0, "fluid_focal": 0,
        "margin_width_mm": 0.7, "band_score": 0.06 + 0.03 * coarse,
        "fluid_score": (0.3 + 0.1 * along) * true, "drop": 1.5,
        "drop_roi": 100 * (0.01 + 0.03 * abs(1 - true / 100)),  # that of the ratio, in per cent
        "enh_bimodality": 0.12, "enh_rcov": 0.02 + 0.1 * true,
    }  # fmt: skip
    return rules.get(sign, 0.01 + 0.03 * abs(true))


def measure_case(case: SignalCase, grid: str, **more: float) -> pd.DataFrame:
    """All signs of the three vertebrae of a case."""
    drawing = draw(grid)
    image = paint(drawing, case.marrow, case.normal, noise=case.noise, fluid=case.fluid, **more)
    others = {
        name: paint(drawing, texture, level, noise=case.noise, seed=1, **more)
        for name, (level, texture) in case.companions.items()
    }
    scan = replace(drawing.spine.scan, image=image, companions=others)
    return measure_spine(replace(drawing.spine, scan=scan, sequence=case.sequence)).values


def table(grids: tuple[str, ...] = tuple(GRIDS)) -> pd.DataFrame:
    """Return every case, grid and sign with its true and measured value."""
    rows = []
    for grid in grids:
        spacing, _ = GRIDS[grid]
        across = slice_axis(spacing)
        cut = tuple(spacing[axis] if axis == across else CUT for axis in range(3))
        for name in SOME.get(grid, tuple(CASES)):
            found = measure_case(CASES[name], grid).iloc[1]
            for sign, truth in CASES[name].truth.items():
                if (name, grid, sign) in UNSEEN:
                    continue
                true = truth(*cut) if callable(truth) else truth
                value = float(found[sign])
                rows.append((name, grid, sign, true, value, value - true, tolerance(sign, true, spacing)))
    columns = ["case", "grid", "sign", "true", "measured", "error", "tolerance"]
    return pd.DataFrame(rows, columns=columns).round(3)


if __name__ == "__main__":
    table().to_csv(TABLE, index=False, lineterminator="\n")
