"""A feature table that was made elsewhere -> `Dataset`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from radiomics_vert.dataset.audit import Audit
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.dataset.outcome import binary_outcome
from radiomics_vert.dataset.roles import require_one_role
from radiomics_vert.errors import DatasetError, Problem
from radiomics_vert.provenance import Provenance
from radiomics_vert.storage import read_table, sha256_file

IMAGE_COLUMNS = ("image_digest", "image_sha256")
"""Columns that may hold the sha256 of the image file of each row; the first that is there is read."""


def read_dataset(
    path: str | Path,
    *,
    outcome: str,
    positive: str,
    group: str,
    negative: str | None = None,
    level: str | None = None,
    covariates: Sequence[str] = (),
    drop: Sequence[str] = (),
) -> Dataset:
    """Read a table with one row per vertebra (or lesion) and make a dataset of it.

    Every numeric column that has no other role is a feature; columns of text are left out and listed
    in the audit, and so are rows without a patient. A column `image_digest` or `image_sha256` (sha256 of
    the image file) is no feature: by it an external validation recognises images of the development data.

    Parameters
    ----------
    path : str or Path
        CSV, TSV, XLSX or Parquet.
    outcome, positive, negative : str
        Outcome column and its classes, as in :func:`merge`.
    group : str
        Column that names the patient. Rows of one patient are never separated.
    level : str, optional
        Column with the vertebral level.
    covariates : sequence of str
        Columns that are covariates, not features.
    drop : sequence of str
        Columns to leave out, for example ids or a column that restates the outcome.

    Returns
    -------
    Dataset

    Raises
    ------
    TableError
        The file cannot be read.
    DatasetError
        RV103 a named column is missing, RV405 unusable group, RV401/RV402 unusable outcome,
        RV404 no numeric feature, RV409 one column in two roles.
    """
    path = Path(path)
    named = {"outcome": [outcome], "group": [group], "covariates": covariates, "drop": drop}
    require_one_role(named | ({"level": [level]} if level else {}), str(path))
    table = read_table(path)
    _require_columns(table, [outcome, group, *([level] if level else []), *covariates, *drop], path)
    audit = Audit()
    table = _with_patient(table, group, audit, path)
    patients = table[group].map(_id_text)
    table.index = pd.Index(_unit_names(patients, table[level] if level else None), name="unit")
    patients.index = table.index
    roles = {outcome, group, *covariates, *drop, *([level] if level else [])}
    images = [name for name in IMAGE_COLUMNS if name in table.columns and name not in roles][:1]
    X = _features(table.drop(columns=[*roles, *images]), audit, path)
    info = pd.DataFrame(
        {
            "subject_id": patients,
            "session": "",
            "level": table[level].astype(str) if level else "",
            "site": "",
        }
    )
    for name in images:
        info["image_digest"] = table[name].map(_digest_text)
    y, negative = binary_outcome(table[outcome], positive, negative, info, audit)
    return Dataset(
        X=X.loc[y.index],
        y=y,
        groups=patients[y.index].rename("subject_id"),
        covariates=table.loc[y.index, list(covariates)],
        audit=audit.frame(),
        info=info.loc[y.index],
        outcome=outcome,
        positive=_spoken(positive, outcome),
        negative=_spoken(negative, outcome),
        provenance=Provenance(
            {"table": path.name, "sha256": sha256_file(path), "images": _known(info.loc[y.index])}
        ),
    )


def _require_columns(table: pd.DataFrame, names: Sequence[str], path: Path) -> None:
    problems = [
        Problem(
            "RV103",
            f"the column {name!r}",
            f"the columns {', '.join(table.columns[:12])}{' ...' if len(table.columns) > 12 else ''}",
            str(path),
            "correct the name of the column",
        )
        for name in dict.fromkeys(names)
        if name not in table.columns
    ]
    if problems:
        raise DatasetError(*problems)


def _with_patient(table: pd.DataFrame, group: str, audit: Audit, path: Path) -> pd.DataFrame:
    """Leave out rows without a patient: they could be in training and test at once."""
    known = table[group].notna()
    for line in table.index[~known]:
        audit.add(f"line {line}", "", "", "", "RV405", f"no patient in {group!r}")
    patients = table.loc[known, group]
    if patients.nunique() < 2:
        found = f"one value, {patients.iloc[0]!r}" if len(patients) else "no value"
        remedy = "name the column that identifies the patient"
        where = f"{path}, column {group!r}"
        raise DatasetError(Problem("RV405", "several patients", found, where, remedy))
    return table[known]


def _spoken(value: str, outcome: str) -> str:
    """Name a class that is a bare number together with its column: `fracture=1`."""
    text = {"True": "1", "False": "0"}.get(str(value), str(value))
    return f"{outcome}={text}" if text.replace(".", "", 1).lstrip("-").isdigit() else text


def _id_text(value: object) -> str:
    """Spell a whole number as such, also where an empty cell made the column one of floats."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _digest_text(value: object) -> str:
    return str(value).strip().lower() if isinstance(value, str) else ""


def _known(info: pd.DataFrame) -> list[str]:
    """Return the digests of the images behind the rows, where the table tells them."""
    return sorted(set(info.get("image_digest", pd.Series(dtype=str))) - {""})


def _unit_names(patients: pd.Series, levels: pd.Series | None) -> list[str]:
    """Name each row by patient and level; a repeated name gets a counter, so that none is lost."""
    names = patients if levels is None else patients + "_" + levels.astype(str)
    repeat = names.groupby(names).cumcount()
    several = names.duplicated(keep=False)
    return [
        f"{name}_row{number + 1}" if again else name
        for name, number, again in zip(names, repeat, several, strict=True)
    ]


def _features(table: pd.DataFrame, audit: Audit, path: Path) -> pd.DataFrame:
    numeric = [name for name in table.columns if pd.api.types.is_numeric_dtype(table[name])]
    nameless = [name for name in numeric if name.startswith("Unnamed:")]
    for name in table.columns:
        if name not in numeric:
            audit.add(name, "", "", "", "RV404", "column of text, not used as a feature")
        elif name in nameless:
            audit.add(name, "", "", "", "RV404", "column without a name (a row number?), not a feature")
    numeric = [name for name in numeric if name not in nameless]
    if not numeric:
        raise DatasetError(
            Problem(
                "RV404",
                "at least one numeric feature column",
                "columns of text only",
                str(path),
                "check the decimal separator (use a point) and the roles given to the columns",
            )
        )
    return table[numeric].astype(float)
