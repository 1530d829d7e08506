"""The wheel that ships: built, installed into a clean environment, and used from another folder."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests_support import edit, lay_small_study

REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def call(*command, folder=None):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "build", "--outdir", folder, REPOSITORY)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Command of the wheel in an environment that has nothing else."""
    folder = tmp_path_factory.mktemp("clean")
    call(sys.executable, "-m", "venv", folder)
    constraints = REPOSITORY / "constraints.txt"
    call(folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--constraint", constraints, wheel)
    return folder / "bin" / "radiomics-vert"


def test_the_wheel_carries_what_is_not_code(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in REPOSITORY.glob("params/*.yaml"):
        assert f"radiomics_vert/params/{path.name}" in names
    for path in (REPOSITORY / "radiomics_vert").rglob("*"):
        inside = path.relative_to(REPOSITORY).as_posix()
        if path.is_file() and "__pycache__" not in inside:
            assert inside in names
    assert "radiomics_vert/demo/study.yaml" in names
    assert not any(name.startswith(("tests/", "docs/", "data/")) for name in names)


def test_a_study_runs_from_the_installed_wheel(installed, small_cohort, tmp_path):
    call(installed, "init", "mine", folder=tmp_path)
    assert (tmp_path / "mine" / "study.schema.json").is_file()
    study = tmp_path / "study"
    study.mkdir()
    lay_small_study(study, small_cohort)
    edit(study / "study.yaml", "CT: small.yaml", "CT: small.yaml, T1: t1")
    printed = call(installed, "run", "study", folder=tmp_path)
    assert printed.strip().endswith("report.html")
    assert (study / "results" / "report.html").is_file()
