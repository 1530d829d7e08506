"""The command check: of a study, or of one image and its mask."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from radiomics_vert import checks
from radiomics_vert import study as pipeline
from radiomics_vert.cli.common import (
    BAD_INPUT,
    GOOD,
    PROBLEMS,
    OptionalStudy,
    Output,
    Quiet,
    Workers,
    app,
    out,
    running,
    tally,
)
from radiomics_vert.errors import Problem, SettingsError

EXIT = {"ready": GOOD, "ready with warnings": PROBLEMS, "refused": BAD_INPUT}
SHOWN_SCANS = 40


@app.command()
def check(
    study: OptionalStudy = None,
    image: Annotated[
        Path | None, typer.Option(help="One image instead of a study.", show_default=False)
    ] = None,
    mask: Annotated[Path | None, typer.Option(help="The mask of --image.", show_default=False)] = None,
    scheme: Annotated[
        str | None, typer.Option(help="Label scheme of --mask; left out, those that fit are named.")
    ] = None,
    sequence: Annotated[
        str, typer.Option(help="Sequence of --image (CT, T1, ...): how grey values are judged.")
    ] = "",
    series: Annotated[str, typer.Option(help="Which series of a DICOM folder (with --image).")] = "",
    output: Output = None,
    pages: Annotated[bool, typer.Option(help="Write the pages of quality control.")] = True,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Tell everything that is wrong, and show every vertebra with its mask, before any long work.

    For a study, exit code 0: every scan is ready; 1: scans are refused or ready with warnings, or a check
    found an error; 2: tables or settings are wrong. For --image and --mask, 0: ready; 1: ready with
    warnings; 2: refused; pages are written where --output is given.
    """
    if image is not None or mask is not None:
        raise typer.Exit(_check_pair(image, mask, scheme, sequence, series, output if pages else None))
    if study is None:
        remedy = "give study.yaml, or --image IMAGE --mask MASK --scheme SCHEME"
        raise SettingsError(Problem("RV602", "a study, or an image and a mask", "neither", "check", remedy))
    with running(study, output, workers, quiet) as run:
        checked = run.check(pages=pages)
    out.print(checked.summary, markup=False)
    _print_findings(checked.findings)
    _print_verdicts(checked.quality.verdicts)
    if checked.quality.pages:
        out.print(f"Pictures and plots: {checked.quality.pages}", markup=False)
    unready = (checked.quality.verdicts["verdict"] != "ready").any()
    errors = any(finding.severity == "error" for finding in checked.findings)
    raise typer.Exit(PROBLEMS if unready or errors else GOOD)


def _check_pair(
    image: Path | None, mask: Path | None, scheme: str | None, sequence: str, series: str, output: Path | None
) -> int:
    if image is None or mask is None:
        remedy = "give both, and --scheme"
        missing = "--image" if image is None else "--mask"
        raise SettingsError(Problem("RV602", "--image and --mask", f"no {missing}", "check", remedy))
    found = pipeline.check_pair(image, mask, scheme, sequence=sequence, series=series, output=output)
    _print_vertebrae(found)
    _print_findings(found.findings)
    if not sequence:
        out.print("Without --sequence, grey values are not judged (CT: Hounsfield units).", markup=False)
    if found.quality.pages:
        out.print(f"Pictures and plots: {found.quality.pages}", markup=False)
    out.print(found.verdict, markup=False)
    return EXIT[found.verdict]


def _print_vertebrae(found: pipeline.PairCheck) -> None:
    table = found.quality.table
    if table.empty:
        return
    shown = pd.DataFrame(
        {
            "level": table["level"].where(table["level"] != "", "label " + table["label"].astype(str)),
            "voxels": table["voxels"].astype(int),
            "ml": table["volume_ml"].astype(float).round(1),
            "median": table["intensity_median"].astype(float).round(1),
            "findings": [_codes(found.findings, case, scan) for case, scan in _names(table)],
        }
    )
    out.print(shown.to_string(index=False), markup=False)


def _names(table: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(table["case_id"].astype(str), table["scan_id"].astype(str), strict=True))


def _codes(findings: list[checks.Finding], *names: str) -> str:
    return " ".join(sorted({f.code for f in findings if set(names) & set(f.cases)}))


def _print_findings(findings: list[checks.Finding]) -> None:
    for row in checks.findings_result(findings).frame().to_dict("records"):
        concerned = f" [{row['n_cases']}: {row['cases'][:100]}]" if row["n_cases"] else ""
        out.print(f"{row['severity']:8}{row['code']} {row['title']}{concerned}", markup=False)
        out.print(f"  found:   {row['explanation']}\n  remedy:  {row['remedy']}", markup=False)
    counts = {s: sum(f.severity == s for f in findings) for s in ("error", "warning", "note")}
    out.print(tally(counts), markup=False)


def _print_verdicts(verdicts: pd.DataFrame) -> None:
    """Print how many scans are ready, and a line for each that is not simply ready."""
    counts = {name: int((verdicts["verdict"] == name).sum()) for name in EXIT}
    unready = verdicts[verdicts["verdict"] != "ready"]
    width = max(map(len, unready["scan_id"]), default=0)
    for row in unready.head(SHOWN_SCANS).to_dict("records"):
        out.print(f"{row['scan_id']:{width}}  {row['verdict']:20} {row['why']}", markup=False)
    if len(unready) > SHOWN_SCANS:
        out.print(f"... and {len(unready) - SHOWN_SCANS} more", markup=False)
    told = ", ".join(f"{number} {name}" for name, number in counts.items())
    out.print(f"{len(verdicts)} scans: {told}", markup=False)
