"""`radiomics-vert init`: a study folder to fill in."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from radiomics_vert.errors import Problem, SettingsError
from radiomics_vert.storage import write_text

FILES = ("study.yaml", "images.csv", "clinical.csv", "README.md", "study.schema.json")


def write_templates(folder: Path) -> list[Path]:
    """Write a commented study file, the two tables and a README into `folder`.

    Parameters
    ----------
    folder : Path
        Made when missing.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    SettingsError
        RV604 one of the files exists; nothing is overwritten.
    """
    standing = [name for name in FILES if (folder / name).exists()]
    if standing:
        raise SettingsError(
            Problem(
                "RV604",
                "a folder without a study",
                f"{', '.join(standing)} exists already",
                str(folder),
                "name another folder; nothing was overwritten",
            )
        )
    for name in FILES:
        write_text(folder / name, _template(name))
    return [folder / name for name in FILES]


def is_untouched(path: Path) -> bool:
    """Tell whether a file is a template that nobody has filled in yet.

    Parameters
    ----------
    path : Path
        A file of a study folder, or none.
    """
    return path.name in FILES and path.is_file() and path.read_bytes() == _template(path.name).encode()


def _template(name: str) -> str:
    return (resources.files("radiomics_vert.config") / "templates" / name).read_text("utf-8")
