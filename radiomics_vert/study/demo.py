"""The demo: the built-in synthetic cohort, with the study file that goes with it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from radiomics_vert.errors import Problem, SettingsError
from radiomics_vert.storage import write_text
from radiomics_vert.study.analysis import Watch, unwatched
from radiomics_vert.study.folder import Study, load_study
from radiomics_vert.synthetic import is_made, make_cohort

COHORT = "cohort"


def prepare_demo(folder: Path, *, n_jobs: int = -1, watch: Watch = unwatched) -> Study:
    """Lay the demo's study file and the synthetic cohort into `folder`; keep what is there.

    A cohort that another version drew, or that is not whole, is made again.

    Parameters
    ----------
    folder : Path
        The study folder, made when missing.
    n_jobs : int, default -1
        Parallel workers.
    watch : callable, optional
        Makes a progress callback for each piece of work.

    Returns
    -------
    Study
        Ready to run.

    Raises
    ------
    SettingsError
        RV604 `folder` holds something else.
    """
    if not (folder / "study.yaml").is_file():
        _require_empty(folder)
        for name in ("study.yaml", "README.md"):
            write_text(folder / name, (_shipped() / name).read_text("utf-8"))
    study = load_study(folder)
    if not is_made(folder / COHORT):
        make_cohort(folder / COHORT, n_jobs=n_jobs, progress=watch("making the cohort"))
    return study


def _shipped() -> Path:
    """Return the demo's folder: in the installed package, or in the repository."""
    package = Path(str(resources.files("radiomics_vert")))
    installed = package / "demo"
    return installed if installed.is_dir() else package.parent / "analysis" / "synthetic_cohort"


def _require_empty(folder: Path) -> None:
    standing = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if standing:
        raise SettingsError(
            Problem(
                "RV604",
                "an empty folder, or one with the demo's study.yaml",
                f"{len(standing)} other files, such as {standing[0]}",
                str(folder),
                "name another folder; nothing was written",
            )
        )
