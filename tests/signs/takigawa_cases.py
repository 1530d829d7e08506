"""Takigawa's probability on columns of known findings: all sixteen, over grids, noise and tilt.

The true value follows from the drawn findings by the published coefficients, so that one finding read wrongly
misses it. The findings are drawn clearly on one or the other side of the thresholds of `published`.

python tests/signs/takigawa_cases.py    write takigawa_table.csv anew
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from arch_phantoms import _local
from bone_phantoms import SHELL_MM, depth_below_wall
from phantoms import Body, Column, amid
from scipy import ndimage

from radiomics_vert.signs import measure_scan
from radiomics_vert.signs.baselines import takigawa_probability
from radiomics_vert.signs.nouns import SignScan

TABLE = Path(__file__).with_name("takigawa_table.csv")
# T1 signals: soft tissue, marrow, cortex, posterior elements, tumour, band.
SOFT, MARROW, SHELL, ARCH, TUMOUR, BAND = 70.0, 200.0, 40.0, 180.0, 80.0, 100.0
TOLERANCE = 0.0001  # the least probability is three times as large
MIDDLE = 2  # label of the vertebra amid three


class Findings(NamedTuple):
    """What is drawn, in the order of the published formula."""

    posterior_protrusion: bool
    pedicle: bool
    posterior_elements: bool
    band: bool


@dataclass(frozen=True)
class Grid:
    """Spacing (z, y, x) in mm, shift in voxels, tilt and rotation in degrees, noise over marrow."""

    spacing: tuple[float, float, float]
    shift: tuple[float, float, float]
    tilt: float
    rotation: float
    noise: float


GRIDS = {
    "0.5 mm": Grid((0.5, 0.5, 0.5), (0.2, 0.7, 0.4), 5.0, 0.0, 0.08),
    "1 mm oblique": Grid((1.0, 1.0, 1.0), (0.3, 0.6, 0.1), 14.0, 6.0, 0.05),
    "1.5 mm": Grid((1.5, 1.5, 1.5), (0.6, 0.2, 0.5), -6.0, 0.0, 0.03),
    "sagittal 4 mm": Grid((0.9, 0.9, 4.0), (0.1, 0.5, 0.3), 8.0, 0.0, 0.04),
}
EVERY = tuple(Findings(*flags) for flags in product((False, True), repeat=4))
# On voxels of 0.5 mm three suffice, with every finding there and not there.
FEW = tuple(
    Findings(*flags) for flags in ((False,) * 4, (True, False, True, False), (False, True, False, True))
)


def column(findings: Findings, grid: Grid) -> Column:
    """Three bodies; the middle one has the findings."""
    body = Body(bulge=4.0 if findings.posterior_protrusion else 0.0)
    turned = amid(body, neighbours=1, lordosis=(5.0, 5.0), tilt=grid.tilt)
    return replace(turned, rotation=grid.rotation)


def scan(findings: Findings, grid: Grid) -> SignScan:
    """Draw the column as T1."""
    drawn = column(findings, grid)
    empty = drawn.scan(grid.spacing, shift=grid.shift, give_body=True)
    low, _ = drawn._reach(12.0)
    origin = low + np.array(grid.shift)[::-1] * np.array(grid.spacing)[::-1]
    image = np.full(empty.labels.shape, SOFT)
    for number, (body, (centre, axes)) in enumerate(zip(drawn.bodies, drawn.poses, strict=True), 1):
        near = ndimage.binary_dilation(empty.labels == number, iterations=2)
        box = ndimage.find_objects(near.astype(np.int8))[0]
        own = findings if number == MIDDLE else Findings(False, False, False, False)
        image[box] += _averaged(body, own, centre - origin, axes, box, grid.spacing)
    image += np.random.default_rng(5).normal(0, grid.noise * MARROW, image.shape)
    return replace(empty, image=image.astype(np.float32))


def _averaged(body, findings: Findings, centre, axes, box, spacing) -> np.ndarray:
    """Signal above soft tissue, averaged over the voxel; larger voxels take more samples."""
    counts = [1 if step <= 0.5 else max(2, round(step)) for step in spacing]
    offsets = [(np.arange(count) + 0.5) / count - 0.5 for count in counts]
    total = 0.0
    for offset in product(*offsets):
        x, p, z = _local(centre, axes, box, spacing, offset)
        total = total + _signal(body, findings, x, p, z) - SOFT
    return np.asarray(total / np.prod(counts))


def _signal(body, findings: Findings, x, p, z) -> np.ndarray:
    inside, arch = body.inside(x, p, z)
    superior, inferior = body.plates(x, p / body.depth + 0.5)
    shell = (depth_below_wall(body, x, p) < SHELL_MM) | (z > superior - 1) | (z < inferior + 1)
    marrow = np.where(findings.band & (np.abs(z - 3) < 2.5) & (np.abs(x) < 19), BAND, MARROW)
    back = p - body.depth / 2
    # Half of the transverse process too: the region of a pedicle holds as much of it as of the pedicle, and
    # its median would stand between the two.
    left = (x >= 10) & (x <= 28) & (back <= 16)
    behind = back > 16
    replaced = (left & findings.pedicle) | (behind & findings.posterior_elements)
    value = np.where(inside, np.where(shell, SHELL, marrow), SOFT)
    return np.where(arch, np.where(replaced, TUMOUR, ARCH), value)


@cache
def measured(findings: Findings, grid: str) -> pd.Series:
    """The signs of the vertebra with the findings."""
    return measure_scan(scan(findings, GRIDS[grid]), "T1").values.iloc[MIDDLE - 1]


def table(grids: tuple[str, ...] = tuple(GRIDS)) -> pd.DataFrame:
    """Return every combination and grid with the true and the measured probability."""
    rows = []
    for grid in grids:
        for findings in FEW if grid == "0.5 mm" else EVERY:
            true = takigawa_probability(**findings._asdict())
            value = float(measured(findings, grid)["takigawa_p"])
            names = [name.replace("_", " ") for name, drawn in findings._asdict().items() if drawn]
            case = ", ".join(names) or "no finding"
            rows.append((case, grid, "takigawa_p", true, value, value - true, TOLERANCE))
    columns = ["case", "grid", "sign", "true", "measured", "error", "tolerance"]
    return pd.DataFrame(rows, columns=columns).round(5)


if __name__ == "__main__":
    table().to_csv(TABLE, index=False, lineterminator="\n")
