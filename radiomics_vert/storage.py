"""Tables and small files: read with clear errors, written whole or not at all, the same bytes each time."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from radiomics_vert.errors import Problem, TableError

TABLE_SUFFIXES = (".csv", ".tsv", ".xlsx", ".parquet")
_MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan"]


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` only when the block succeeds.

    Parameters
    ----------
    path : Path
        The file to write; its folder is made when missing.

    Yields
    ------
    Path
        Where to write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # All endings are kept, because image writers choose the format by them (.nii.gz).
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix="".join(path.suffixes))
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; results should be as readable as any other file.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 with Unix line ends, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, so that equal values are equal bytes."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text("utf-8"))


class _EachKeyOnce(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping; YAML's own loader takes the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping whose keys differ."""
        lines: dict[str, int] = {}
        for key, _ in node.value:
            name = str(key.value)
            if name in lines:
                twice = f"`{name}` a second time, after line {lines[name]}"
                raise yaml.constructor.ConstructorError(None, None, twice, key.start_mark)
            lines[name] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


def parse_yaml(text: str) -> Any:
    """Return the content of a YAML file.

    Parameters
    ----------
    text : str
        The file.

    Raises
    ------
    yaml.YAMLError
        No valid YAML, or a key twice in one mapping; most have a `problem_mark` with the line.

    Examples
    --------
    >>> parse_yaml("bins: 25")
    {'bins': 25}
    """
    return yaml.load(text, Loader=_EachKeyOnce)  # noqa: S506 - a SafeLoader


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, TSV or Parquet by its ending, with shortest exact decimal numbers.

    Parameters
    ----------
    frame : DataFrame
        The index is not written.
    path : Path
        Ending `.csv`, `.tsv` or `.parquet`.
    """
    with atomic(path) as temporary:
        if path.suffix == ".parquet":
            frame.to_parquet(temporary, index=False)
        else:
            separator = "\t" if path.suffix == ".tsv" else ","
            frame.to_csv(temporary, index=False, sep=separator, lineterminator="\n")


def read_table(path: str | Path, *, text: bool = False) -> pd.DataFrame:
    """Read a CSV, TSV, XLSX or Parquet table; every row knows its line in the file.

    Parameters
    ----------
    path : str or Path
        The file.
    text : bool, default False
        Keep every cell as text (ids such as `007` stay as they are); an empty cell is missing.

    Returns
    -------
    DataFrame
        With the line number of each row in `frame.index` (the header is line 1).

    Raises
    ------
    TableError
        RV101 no such file, RV102 not readable, RV112 empty, RV113 not UTF-8.
    """
    path = Path(path)
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise TableError(
            Problem(
                "RV102",
                f"a table ending in {', '.join(TABLE_SUFFIXES)}",
                f"the ending {path.suffix or '(none)'!r}",
                str(path),
                "save the table as CSV (UTF-8) and name that file",
            )
        )
    if not path.is_file():
        raise TableError(
            Problem("RV101", "a table", "no such file", str(path), "correct the path or create the file")
        )
    frame = _parse(path, text)
    if frame.empty:
        raise TableError(
            Problem(
                "RV112",
                "a header line and at least one row",
                f"{len(frame.columns)} columns and no row",
                str(path),
                "fill in the table",
            )
        )
    frame.columns = pd.Index([str(column).strip() for column in frame.columns])
    return frame


def _parse(path: Path, text: bool) -> pd.DataFrame:
    dtype = {"dtype": str} if text else {}
    frame: pd.DataFrame
    try:
        if path.suffix.lower() == ".parquet":
            frame = pd.read_parquet(path)
            frame = frame.astype("string").astype(object) if text else frame
            frame.index = pd.RangeIndex(2, len(frame) + 2)
        elif path.suffix.lower() == ".xlsx":
            frame = _read_xlsx(path, text)
        else:
            frame = _read_delimited(path, dtype)
    except UnicodeDecodeError as error:
        raise TableError(
            Problem(
                "RV113",
                "UTF-8 text",
                f"byte 0x{error.object[error.start]:02x} at position {error.start}, not valid UTF-8",
                str(path),
                "save the table again with the encoding UTF-8 (Excel: 'CSV UTF-8')",
            )
        ) from error
    except TableError:
        raise
    except Exception as error:
        raise TableError(
            Problem(
                "RV102",
                "a readable table with one header line",
                f"{type(error).__name__}: {str(error).strip()}",
                str(path),
                "open the file, compare its columns with data/README.md, and save it again",
            )
        ) from error
    return frame.where(frame.notna(), None) if text else frame


def _read_delimited(path: Path, dtype: dict[str, Any]) -> pd.DataFrame:
    content = path.read_bytes().decode("utf-8-sig")  # decoded here: pandas guesses, we do not
    separator = "\t" if path.suffix.lower() == ".tsv" else _separator(content)
    _refuse_ragged_rows(content, separator, path)
    _refuse_repeated_columns(next((row for _, row in _rows(content, separator)), []), path)
    # A line of separators only is a row to pandas, an empty line is none.
    lines = [number for number, row in _rows(content, separator) if len(row) > 1 or "".join(row).strip()]
    frame: pd.DataFrame = pd.read_csv(
        path,
        sep=separator,
        encoding="utf-8-sig",
        keep_default_na=False,
        na_values=_MISSING,
        skip_blank_lines=True,
        **dtype,
    )
    frame.index = pd.Index(lines[1:])
    kept: pd.DataFrame = frame.dropna(how="all")
    return kept


def _read_xlsx(path: Path, text: bool) -> pd.DataFrame:
    try:
        import openpyxl  # noqa: F401
    except ImportError as error:
        raise TableError(
            Problem(
                "RV102",
                "the package openpyxl, which reads Excel files",
                "it is not installed",
                str(path),
                "pip install 'radiomics-vert[xlsx]', or save the sheet as CSV (UTF-8)",
            )
        ) from error
    frame = pd.read_excel(
        path, engine="openpyxl", dtype=str if text else None, keep_default_na=False, na_values=_MISSING
    )
    frame.index = pd.RangeIndex(2, len(frame) + 2)
    kept: pd.DataFrame = frame.dropna(how="all")
    return kept


def _separator(content: str) -> str:
    """Tell `;` (European Excel) from `,` by the header line."""
    header = content.lstrip().split("\n", 1)[0]
    return ";" if header.count(";") > header.count(",") else ","


def _rows(content: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator)
    start = 1
    for row in reader:
        yield start, row
        start = reader.line_num + 1


def _refuse_ragged_rows(content: str, separator: str, path: Path) -> None:
    width: int | None = None
    problems = []
    for number, row in _rows(content, separator):
        if not any(cell.strip() for cell in row):
            continue
        width = len(row) if width is None else width
        if len(row) != width:
            problems.append(
                Problem(
                    "RV102",
                    f"{width} cells, as in the header",
                    f"{len(row)} cells",
                    f"{path}, line {number}",
                    "put values that contain the separator in double quotes, or add the missing cells",
                )
            )
    if problems:
        raise TableError(*problems)


def _refuse_repeated_columns(header: list[str], path: Path) -> None:
    """Refuse what pandas would silently rename to `a.1`."""
    names = [name.strip() for name in header if name.strip()]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise TableError(
            Problem(
                "RV102",
                "every column name once",
                f"repeated: {', '.join(repeated)}",
                f"{path}, header",
                "rename or remove the repeated columns",
            )
        )


def blanks_filled(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with empty text for missing cells, whatever the type of the column.

    Examples
    --------
    >>> blanks_filled(pd.DataFrame({"a": [1.5, float("nan")]}))["a"].tolist()
    [1.5, '']
    """
    return frame.astype(object).where(frame.notna(), "")


def sha256_file(path: Path) -> str:
    """Return the sha256 of a file's bytes as hexadecimal text."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Return the sha256 of a JSON-like value in its canonical form (sorted keys, no spaces).

    Examples
    --------
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()
