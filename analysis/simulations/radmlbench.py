"""Cross-validate the nine public radiomics tables of the test data through the command line.

Only the AUCs are written here; the tables themselves stay where they are. Run
`python -m analysis.simulations.radmlbench FOLDER` with the folder that holds `radmlbench/datasets`.
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from analysis.simulations.cohorts import write

TABLES = {
    "Ahn2021": "1",
    "C4KC-KiTS": "1",
    "Fusco2022": "True",
    "Granata2024": "1",
    "HNSCC": "1",
    "Head-Neck-Radiomics-HN1": "1",
    "Hosny2018B": "1",
    "LNDb": "1",
    "WORC-Lipo": "1",
}
"""The positive class of each table, as the table spells it."""


def unpack(data: Path, name: str, folder: Path) -> Path:
    """Write a packed table as CSV into `folder`; return its path."""
    path = folder / f"{name}.csv"
    path.write_bytes(gzip.decompress((data / "radmlbench" / "datasets" / f"{name}.gz").read_bytes()))
    return path


def validated(data: Path, name: str, folder: Path) -> pd.Series[float]:
    """Return what `radiomics-vert validate` says of a table: one row of the result.

    Parameters
    ----------
    data : Path
        Folder of the test data.
    name : str
        A key of :data:`TABLES`.
    folder : Path
        Where the table is unpacked; results go to `<folder>/<name>`.

    Returns
    -------
    Series
        `dataset, n, n_subjects, excluded, auc, ci_low, ci_high`.
    """
    table = unpack(data, name, folder)
    roles = ["--outcome", "Target", "--positive", TABLES[name], "--group", "ID"]
    folds = ["--repeats", "1", "--inner-folds", "3", "--seed", "1"]
    output = folder / name
    call = [sys.executable, "-m", "radiomics_vert", "validate", "--features", str(table), *roles, *folds]
    subprocess.run([*call, "-o", str(output), "-j", "1", "-q"], check=True, capture_output=True)
    metrics = pd.read_csv(output / "records" / "validation_metrics.csv")
    auc = metrics.query("metric == 'auc' and model == 'elastic_net'").iloc[0]
    excluded = pd.read_csv(output / "records" / "flow_excluded.csv")
    return pd.Series(
        {
            "dataset": name,
            "n": auc["n"],
            "n_subjects": auc["n_subjects"],
            "excluded": int((excluded["code"] == "RV405").sum()),
            "auc": auc["estimate"],
            "ci_low": auc["ci_low"],
            "ci_high": auc["ci_high"],
        }
    )


def main() -> None:
    """Validate all tables and write their AUCs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the test data")
    data = parser.parse_args().data
    with tempfile.TemporaryDirectory() as folder:
        write(pd.DataFrame([validated(data, name, Path(folder)) for name in TABLES]), "radmlbench")


if __name__ == "__main__":
    main()
