"""The command signs: the registry, and one scan without a study."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from typer.testing import CliRunner

from radiomics_vert.cli import app
from radiomics_vert.errors import CohortError, SettingsError
from radiomics_vert.signs.registry import registry

SPACING = (1.5, 1.5, 2.0)
SCHEME = "totalsegmentator_vertebrae_pp"


def call(*arguments: object):
    return CliRunner().invoke(app, ["signs", *map(str, arguments)])


def lay_scan(folder: Path, *, cut: bool = False) -> tuple[Path, Path]:
    """Write five bodies with rounded corners, L1 on top; L3 has lost height in front; gas in L3."""
    shape = (96, 44, 52)  # z, y, x
    z, y, x = np.meshgrid(*map(np.arange, shape), indexing="ij")
    round_body = ((x - 26) / 14) ** 2 + ((y - 20) / 11) ** 2 <= 1
    labels = np.zeros(shape, np.uint8)
    for place in range(5):
        top = 92 - 18 * place
        slope = np.where(y < 20, (20 - y) * 0.45, 0) if place == 2 else 0
        labels[round_body & (z <= top - slope) & (z > top - 13)] = 20 + place
    image = np.where(labels > 0, 150.0, 20.0) + np.random.default_rng(1).normal(0, 8, shape)
    image[48:50, 16:24, 20:32] = -600
    if cut:
        labels, image = labels[8:86], image[8:86]
    paths = folder / "scan.nii.gz", folder / "mask.nii.gz"
    for array, path in ((image.astype(np.float32), paths[0]), (labels, paths[1])):
        out = sitk.GetImageFromArray(array)
        out.SetSpacing(SPACING)
        sitk.WriteImage(out, str(path))
    return paths


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return lay_scan(tmp_path_factory.mktemp("scan"))


@pytest.fixture(scope="module")
def done(scan: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory):
    output = tmp_path_factory.mktemp("out")
    given = ("--image", scan[0], "--mask", scan[1], "--scheme", SCHEME, "--sequence", "ct")
    return call(*given, "--output", output), output


def test_list_prints_every_sign_with_its_facts() -> None:
    found = call("--list")
    assert found.exit_code == 0
    for sign in registry().values():
        line = next(line for line in found.stdout.splitlines() if line.split()[:1] == [sign.name])
        assert sign.unit in line
        assert sign.seed in line
        assert f"high for: {sign.direction}" in line
    assert f"{len(registry())} signs." in found.stdout


def test_list_of_a_sequence_leaves_out_the_others() -> None:
    text = call("--list", "--sequence", "T1").stdout
    assert re.search(r"^  trom ", text, re.MULTILINE)
    assert not re.search(r"^  hu_tb ", text, re.MULTILINE)
    assert isinstance(call("--list", "--sequence", "XR").exception, SettingsError)


def test_one_scan_is_measured_and_written(done) -> None:
    result, output = done
    assert result.exit_code == 0, result.output
    values = pd.read_csv(output / "signs.csv").set_index("level")
    assert values.index.tolist() == ["L1", "L2", "L3", "L4", "L5"]
    assert values.loc["L2", "ha_mm"] == pytest.approx(26, abs=2.0)
    assert values["loss_a"].idxmax() == "L3"
    assert values.loc["L3", "gas_ml"] > 0.3
    assert values.loc["L1", "gas_ml"] == 0
    absences = pd.read_csv(output / "absences.csv")
    assert set(absences.columns) == {"case_id", "sign", "code", "reason"}
    measured = values[list(registry())].notna().sum().sum()
    assert measured + len(absences) == 5 * len(registry())


def test_the_table_names_every_vertebra_frame_and_reason(done) -> None:
    text = done[0].stdout
    assert re.search(r"sign +column +unit +L1 +L2 +L3 +L4 +L5", text)
    assert re.search(r"^ +Anterior height +ha_mm +mm( +[\d.]+){5}$", text, re.MULTILINE)
    assert "L2: frame good; body: scheme; references: scan_L1, scan_L4, scan_L5" in text
    assert "RV332" in text
    assert "sheets/index.html" in text.replace("\n", "")


def test_sheet_shows_lines_numbers_and_reasons(done) -> None:
    page = (done[1] / "sheets" / "scans" / "scan.html").read_text()
    assert (done[1] / "sheets" / "images" / "scan_L3.png").stat().st_size > 1000
    for kind in ("endplate", "height", "wall", "chord", "axis", "plane"):
        assert f'<path class="{kind}" d="M' in page, kind
    assert '<path class="gas" d="M' in page.split('id="scan_L3"')[1].split("<section")[0]
    assert "scan_L1, scan_L2, scan_L4, scan_L5" in page
    assert "RV332" in page
    assert str(done[1]) not in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_mr_has_no_hounsfield_units(scan: tuple[Path, Path]) -> None:
    found = call("--image", scan[0], "--mask", scan[1], "--scheme", SCHEME, "--sequence", "T1")
    assert found.exit_code == 0
    for sign in registry().values():
        if sign.unit == "HU":
            assert not re.search(rf"^ +{sign.name} ", found.stdout, re.MULTILINE), sign.name


def test_vertebra_without_a_frame_ends_with_one(tmp_path: Path) -> None:
    image, mask = lay_scan(tmp_path, cut=True)
    found = call("--image", image, "--mask", mask, "--scheme", SCHEME, "--sequence", "CT")
    assert found.exit_code == 1
    assert "frame none" in found.stdout


def test_refused_scan_ends_with_two(scan: tuple[Path, Path], tmp_path: Path) -> None:
    other = sitk.ReadImage(str(scan[1]))
    other.SetSpacing((2.0, 1.5, 2.0))
    sitk.WriteImage(other, str(tmp_path / "mask.nii.gz"))
    found = call(
        "--image", scan[0], "--mask", tmp_path / "mask.nii.gz", "--scheme", SCHEME, "--sequence", "CT"
    )  # fmt: skip
    assert found.exit_code == 2
    assert "refused" in found.stdout


def test_companion_on_another_grid_is_told(scan: tuple[Path, Path], tmp_path: Path) -> None:
    other = sitk.ReadImage(str(scan[0]))
    other.SetOrigin((5.0, 0.0, 0.0))
    sitk.WriteImage(other, str(tmp_path / "t1.nii.gz"))
    given = ("--image", scan[0], "--mask", scan[1], "--scheme", SCHEME, "--sequence", "STIR")
    found = call(*given, "--companion", f"t1={tmp_path / 't1.nii.gz'}")
    assert "T1 lies on another grid and was left out" in found.stdout
    assert "left out" not in call(*given, "--companion", f"T1={scan[0]}").stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), SettingsError),
        (("--image", "a.nii"), SettingsError),
        (("--image", "a.nii", "--mask", "b.nii", "--scheme", "verse", "--sequence", "XR"), SettingsError),
        (("--image", "a.nii", "--mask", "b.nii", "--scheme", "verse", "--sequence", "CT"), SettingsError),
        (
            ("--image", "a", "--mask", "b", "--scheme", "verse", "--sequence", "CT", "--companion", "T1"),
            SettingsError,
        ),
    ],
)
def test_bad_input_is_an_error(arguments: tuple[str, ...], error: type[Exception]) -> None:
    assert isinstance(call(*arguments).exception, error)


def test_scheme_without_vertebrae_is_refused(scan: tuple[Path, Path]) -> None:
    given = ("--image", scan[0], "--mask", scan[1], "--scheme", "spineps_subregions", "--sequence", "CT")
    assert isinstance(call(*given).exception, CohortError)


def test_quality_control_links_the_sheets_that_are_there(scan: tuple[Path, Path], tmp_path: Path) -> None:
    given = (
        "--image",
        scan[0],
        "--mask",
        scan[1],
        "--scheme",
        SCHEME,
        "--sequence",
        "CT",
        "--output",
        tmp_path,
    )
    page = tmp_path / "qc" / "scans" / "scan.html"
    address = "../../signs/sheets/scans/scan.html"
    CliRunner().invoke(app, ["check", *map(str, given)])
    assert address not in page.read_text()
    sheet = (page.parent / address).resolve()
    sheet.parent.mkdir(parents=True)
    sheet.write_text("a sheet")
    CliRunner().invoke(app, ["check", *map(str, given)])
    assert f'<a href="{address}#scan_L3">Signs of L3</a>' in page.read_text()
