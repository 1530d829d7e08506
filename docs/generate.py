"""Write the generated pages and files under `docs/`, or check that they are current.

python -m docs.generate            write them
python -m docs.generate --check    exit with 1 and name those that are out of date
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from docs.pages import ROOT, SCHEMA, codes_page, commands_page, schemes_page, settings_page, signs_page
from radiomics_vert.config import json_schema

FILES: Mapping[str, Callable[[], str]] = {
    "docs/settings.md": settings_page,
    "docs/codes.md": codes_page,
    "docs/label_schemes.md": schemes_page,
    "docs/commands.md": commands_page,
    "docs/signs.md": signs_page,
    SCHEMA: json_schema,
}


def stale(root: Path = ROOT) -> list[str]:
    """Return the generated files that differ from what the package says now.

    Parameters
    ----------
    root : Path, optional
        The repository.
    """
    return [name for name, make in FILES.items() if _standing(root / name) != make()]


def write(root: Path = ROOT) -> list[str]:
    """Write the files that are out of date; return their names."""
    names = stale(root)
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(FILES[name]().encode("utf-8"))
    return names


def _standing(path: Path) -> str | None:
    return path.read_bytes().decode("utf-8") if path.is_file() else None


def main(arguments: list[str]) -> int:
    """Write or check; return the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m docs.generate [--check]\n")
        return 2
    if arguments:
        names = stale()
        sys.stdout.writelines(f"out of date: {name}; run `make docs`\n" for name in names)
        return 1 if names else 0
    sys.stdout.writelines(f"wrote {name}\n" for name in write())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
