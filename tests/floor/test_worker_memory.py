"""The memory of a worker on a scan of full size, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk

from radiomics_vert.synthetic import whole_spine_ct

ALLOWANCE_MB = 300
"""Beyond image and mask; issue 6 of the founders."""
# Twice in one process: what the first scan leaves behind (compiled kernels, the heap) counts for the second.
EXTRACTION = """
import json, sys
import radiomics_vert as rv
from radiomics_vert.extraction import ExtractionParams
cohort = rv.read_cohort("images.csv", scheme="verse")
PARAMS
for _ in range(2):
    table = rv.extract(cohort, params)
    assert len(table.values) == 17, len(table.values)
    print(json.dumps(table.provenance.run["memory"]))
"""
ON_ITS_GRID = EXTRACTION.replace(
    "PARAMS",
    """
content = {"imageType": {"Original": {}, "LoG": {"sigma": [1.0, 3.0]}, "Wavelet": {}}}
params = ExtractionParams.from_mapping({**content, "setting": {"binWidth": 25}})
""",
)
# LoG of 3 mm after resampling to 1 mm: the largest blocks.
SHIPPED = EXTRACTION.replace("PARAMS", 'params = rv.extraction.builtin_params("ct")')
# Pages included.
QUALITY = """
import json
from pathlib import Path
import radiomics_vert as rv
from radiomics_vert.parallel import memory_of_workers
from radiomics_vert.study.quality import control_quality
cohort = rv.read_cohort("images.csv", scheme="verse")
content = {"imageType": {"Original": {}}, "setting": {"binWidth": 25, "resampledPixelSpacing": [1, 1, 1]}}
params = {"CT": rv.extraction.ExtractionParams.from_mapping(content)}
for _ in range(2):
    with memory_of_workers() as memory:
        found = control_quality(cohort, cohort, params, title="one spine", folder=Path("out"))
    assert found.table["voxels_resampled"].notna().sum() == 17
    print(json.dumps(memory.facts(512 * 512 * 300 * 3)))
"""
SIGNS = """
import json
import radiomics_vert as rv
from radiomics_vert.parallel import memory_of_workers
from radiomics_vert.signs import measure_signs
cohort = rv.read_cohort("images.csv", scheme="verse")
for _ in range(2):
    with memory_of_workers() as memory:
        found = measure_signs(cohort)
    assert len(found.features.values) == 17
    print(json.dumps(memory.facts(512 * 512 * 300 * 3)))
"""

STUDY = """
title: two spines
question: is the memory of two workers bounded?
cohort: {images: images.csv, clinical: clinical.csv, scheme: verse}
outcome: {column: diagnosis, positive: metastatic, negative: osteoporotic}
extraction: {parameters: {CT: ct}, vertebrae: all}
"""
# The command line, and then the largest memory of its own process.
COMMAND_LINE = """
from radiomics_vert.cli import main
from radiomics_vert.memory import peak
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(peak().own / 1_000_000)
"""


@pytest.fixture(scope="module")
def whole_spine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return whole_spine_ct(tmp_path_factory.mktemp("whole_spine"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("work", "stored"),
    [
        pytest.param(work, stored, id=f"{name} {stored}")
        for name, work, orders in (
            ("extraction", ON_ITS_GRID, ("LPS", "RAS", "PIR")),
            ("shipped parameters", SHIPPED, ("LPS", "RAS", "PIR")),
            ("quality", QUALITY, ("LPS", "RAS", "PIR")),
            ("signs", SIGNS, ("LPS", "PIR")),
        )
        for stored in orders
    ],
)
def test_a_whole_spine_needs_its_voxels_and_300_mb_at_most(
    whole_spine: tuple[Path, Path], tmp_path: Path, stored: str, work: str
) -> None:
    image, mask = (tmp_path / path.name for path in whole_spine)
    for source, target in zip(whole_spine, (image, mask), strict=True):
        volume = sitk.DICOMOrient(sitk.ReadImage(str(source)), stored)
        sitk.WriteImage(volume, str(target), useCompression=True, compressionLevel=1)
    (tmp_path / "images.csv").write_text(
        f"subject_id,sequence,image,mask\nspine,CT,{image.name},{mask.name}\n", "utf-8"
    )
    command = [sys.executable, "-c", work]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    found = [json.loads(line) for line in printed.splitlines()]
    assert len(found) == 2
    for memory in found:
        # 512 x 512 x 300 voxels: two bytes of image and one of labels
        assert memory["largest_scan_mb"] == 236
        assert memory["workers"][0]["own_mb"] <= memory["largest_scan_mb"] + ALLOWANCE_MB


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("workers", "compiled"),
    [
        pytest.param(1, True, id="one worker"),
        pytest.param(2, True, id="two workers"),
        pytest.param(2, False, id="two workers, first use"),
    ],
)
def test_workers_of_a_study_extract_without_what_was_drawn_imported_or_compiled(
    tmp_path: Path, workers: int, compiled: bool
) -> None:
    rows = []
    for seed, name in enumerate(("one", "two")):
        image, mask = whole_spine_ct(tmp_path / name, seed=seed)
        rows.append(f"{name},CT,{name}/{image.name},{name}/{mask.name}\n")
    (tmp_path / "images.csv").write_text("subject_id,sequence,image,mask\n" + "".join(rows), "utf-8")
    clinical = "subject_id,level,diagnosis\none,L1,metastatic\ntwo,L1,osteoporotic\n"
    (tmp_path / "clinical.csv").write_text(clinical, "utf-8")
    (tmp_path / "study.yaml").write_text(STUDY, "utf-8")
    environment = dict(os.environ) if compiled else {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "code")}
    command = [sys.executable, "-c", COMMAND_LINE, "extract", "study.yaml", "-q", "-j", str(workers)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    record = json.loads((tmp_path / "results" / "provenance.json").read_text("utf-8"))
    memory = record["run"]["extract"]["extraction"]["memory"]
    assert len(memory["workers"]) == workers
    most = memory["largest_scan_mb"] + ALLOWANCE_MB
    assert max(worker["own_mb"] for worker in memory["workers"]) <= most
    assert float(done.stdout.splitlines()[-1]) <= most  # the process of the study itself
