"""The figures that the documents quote are those of the committed table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = pd.read_csv(ROOT / "analysis" / "benchmarks" / "engines.csv")
REGIONS = {
    "brain1, 4137 voxels": "4 137 voxels",
    "ellipsoid, 24391 voxels": "24 391 voxels",
    "ellipsoid, 127865 voxels": "127 865 voxels",
}
IMAGES = {"original": "original", "LoG 1, 2, 3 mm + wavelet": "LoG and wavelet"}


def _row(case: str, images: str, engine: str) -> pd.Series:
    chosen = TABLE["case"].eq(case) & TABLE["images"].eq(images) & TABLE["engine"].eq(engine)
    ((_, found),) = TABLE[chosen].iterrows()
    return found


def _milliseconds(row: pd.Series) -> str:
    rounded = float(f"{1000 * row['seconds']:.3g}")
    return f"{rounded:,g} ms".replace(",", " ")


@pytest.mark.parametrize("images", IMAGES)
@pytest.mark.parametrize("case", REGIONS)
def test_performance_and_readme_quote_the_table(case: str, images: str) -> None:
    cropped, native = (_row(case, images, engine) for engine in ("pyradiomics, cropped", "native"))
    cells = (
        REGIONS[case],
        IMAGES[images],
        _milliseconds(cropped),
        _milliseconds(native),
        f"{cropped['seconds'] / native['seconds']:.1f}",
        f"{native['values']:,}".replace(",", " "),
        f"{native['largest rel. difference']:.1e}",
    )
    assert f"| {' | '.join(cells)} |" in (ROOT / "docs" / "performance.md").read_text("utf-8")
    (line,) = (
        line
        for line in (ROOT / "README.md").read_text("utf-8").splitlines()
        if line.startswith(f"| {REGIONS[case]} | {IMAGES[images]} |")
    )
    assert f"({native['times faster']:.0f}x)" in line
    assert f"({cropped['times faster']:.1f}x)" in line
