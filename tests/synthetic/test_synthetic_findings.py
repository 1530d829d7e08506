"""Lines, bands, clefts, necrosis and enhancement: what is drawn, where, and what both classes share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from radiomics_vert.cohort.levels import Level
from radiomics_vert.cohort.schemes import load_scheme
from radiomics_vert.synthetic import SyntheticSpec, clefts, make_cohort
from radiomics_vert.synthetic.anatomy import intact
from radiomics_vert.synthetic.drawing import draw_patient
from radiomics_vert.synthetic.effects import APPEARANCES
from radiomics_vert.synthetic.findings import add_findings

PATIENTS = 400
BROKEN = replace(
    intact(Level.L2, 1.0),
    fractured=True,
    appearance="metastatic",
    diagnosis="metastatic",
    rim=9.0,
    rim_side=1,
)


@pytest.fixture(scope="module")
def fractures() -> pd.DataFrame:
    spec = SyntheticSpec(patients=PATIENTS)
    rows = pd.DataFrame([row for k in range(PATIENTS) for row in draw_patient(spec, k).rows()])
    found = ("line", "band", "fluid", "gas")
    assert not rows.loc[~rows["fractured"], found].to_numpy().any()
    return rows[rows["fractured"]]


def test_bands_have_takigawas_odds_ratio(fractures):
    share = fractures.groupby("appearance")["band"].mean()
    odds = share / (1 - share)
    assert odds["metastatic"] / odds["osteoporotic"] == pytest.approx(0.047, rel=0.45)


def test_edges_of_lines_differ_and_their_frequency_does_not(fractures):
    shown = fractures.groupby("appearance")
    assert shown["line"].mean().between(0.52, 0.68).all()
    assert shown["line_edge"].max()["osteoporotic"] < shown["line_edge"].min()["metastatic"]


def test_only_masses_of_tumours_die(fractures):
    dead = fractures[fractures["necrosis"] > 0]
    assert (dead["rim_side"] != 0).all()
    assert (dead["appearance"] == "metastatic").all()
    masses = fractures[(fractures["rim_side"] != 0) & (fractures["appearance"] == "metastatic")]
    expected = APPEARANCES["metastatic"].necrosis
    assert (masses["necrosis"] > 0).mean() == pytest.approx(expected, abs=0.15)


@pytest.mark.parametrize("column", ["height_loss", "line", "line_depth", "enhancement", "enhancement_spread"])
def test_what_is_said_to_be_alike_is_alike(fractures, column):
    """Rank correlation with the class below three times its error, clusters allowed for."""
    metastatic = fractures["diagnosis"] == "metastatic"
    correlation = fractures[column].astype(float).corr(metastatic.astype(float), method="spearman")
    assert abs(correlation) < 4 / np.sqrt(len(fractures))


def test_stir_ratio_follows_its_row(fractures):
    ratio = fractures.groupby("appearance")["stir_ratio"].median()
    assert ratio["osteoporotic"] > 2.5
    assert ratio["metastatic"] < 2.0


def test_findings_do_not_move_what_was_drawn_before():
    first, second = (add_findings([BROKEN], np.random.default_rng(seed))[0] for seed in (1, 2))
    assert first != second
    drawn = {"line", "line_depth", "line_edge", "band", "fluid", "necrosis", "stir_ratio"}
    drawn |= {"enhancement", "enhancement_spread"}
    same = {name for name, value in vars(first).items() if value == getattr(BROKEN, name)}
    assert set(vars(first)) - same <= drawn
    untouched = intact(Level.L1, 1.0)
    assert add_findings([untouched, BROKEN], np.random.default_rng(1)) == (untouched, first)


def test_a_plate_has_the_thickness_and_the_edges_that_are_set():
    below = np.arange(0.0, 25.0, 0.01, dtype=np.float32)
    for edge in (0.6, 1.5):
        shape = replace(BROKEN, line=True, line_depth=0.4, line_edge=edge)
        cover = clefts.line(shape, below)
        inside = below[cover > 0.5]
        assert np.ptp(inside) == pytest.approx(clefts.LINE_MM, abs=0.05)
        assert inside.mean() == pytest.approx(0.4 * min(shape.heights), abs=0.05)
        rising = below < 0.4 * min(shape.heights)
        ten, ninety = (np.interp(share, cover[rising], below[rising]) for share in (0.1, 0.9))
        assert ninety - ten == pytest.approx(edge, abs=0.1)
    nothing = replace(BROKEN, line=False, band=False)
    assert not clefts.line(nothing, below).any()
    assert not clefts.band(nothing, below).any()
    assert clefts.band(replace(BROKEN, band=True), below).max() > 0.99


def test_fluid_lies_within_5_mm_of_the_endplate_and_is_flat():
    x, y, below = np.meshgrid(
        *[np.arange(*span, 0.5, dtype=np.float32) for span in ((-25, 25), (-20, 20), (0, 20))], indexing="ij"
    )
    cover = clefts.fluid(replace(BROKEN, fluid=True), x, y, below) > 0.5
    assert below[cover].min() < 5.0
    assert np.ptp(below[cover]) < 0.25 * np.ptp(x[cover])
    assert not clefts.fluid(BROKEN, x, y, below).any()


def test_mri_sequences_share_a_grid_and_show_what_is_drawn(tmp_path):
    """The STIR of fluid is bright; contrast medium brightens all marrow of a body, the noise is its own."""
    spec = SyntheticSpec(patients=4, sequences=("T1", "STIR", "T1_CONTRAST"))
    folder = make_cohort(tmp_path, spec)
    truth = pd.read_csv(folder / "truth.csv", keep_default_na=False)
    subject = truth.loc[truth["fluid"].astype(bool), "subject_id"].iloc[0]
    images = {
        name: sitk.ReadImage(str(folder / f"images/{subject}_{name}.nii.gz")) for name in spec.sequences
    }
    masks = [folder / f"images/{subject}_{name}_mask.nii.gz" for name in spec.sequences]
    assert len({path.read_bytes() for path in masks}) == 1
    first = images["T1"]
    for image in images.values():
        assert image.GetSize() == first.GetSize()
        assert image.GetDirection() == first.GetDirection()
        assert image.GetOrigin() == first.GetOrigin()
    labels, parts = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        for path in (masks[0], folder / f"images/{subject}_T1_subregions.nii.gz")
    )
    before, after, stir = (
        sitk.GetArrayFromImage(images[n]).astype(float) for n in ("T1", "T1_CONTRAST", "STIR")
    )
    scheme = load_scheme(folder / "scheme.yaml")
    own = truth[truth["subject_id"] == subject].set_index("level")
    for level, row in own.iterrows():
        marrow = (labels == scheme.label(Level.parse(level))) & (parts == 50)
        gain = np.median(after[marrow] / np.maximum(before[marrow], 1.0)) - 1
        assert gain == pytest.approx(row["enhancement"], abs=0.15)
        bright = np.quantile(stir[marrow], 0.995) / np.median(stir[marrow])
        assert (bright > 2.5) or not row["fluid"]
    assert np.corrcoef((after - before)[labels == 150], before[labels == 150])[0, 1] < 0.5
