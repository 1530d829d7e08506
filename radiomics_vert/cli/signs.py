"""The command signs: the registry, the signs of a study, or those of one image and its mask."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from radiomics_vert import signs as measuring
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
    err,
    out,
    running,
)
from radiomics_vert.errors import CODES, Problem, SettingsError
from radiomics_vert.phrases import count
from radiomics_vert.signs.families import family_title
from radiomics_vert.signs.registry import EVIDENCE, SEQUENCES, Sign, registry
from radiomics_vert.storage import blanks_filled

SHOWN_SIGNS = 8
_WIDTH = 100


@app.command()
def signs(
    study: OptionalStudy = None,
    listed: Annotated[bool, typer.Option("--list", help="Print the registry of signs.")] = False,
    image: Annotated[
        Path | None, typer.Option(help="One image instead of a study.", show_default=False)
    ] = None,
    mask: Annotated[Path | None, typer.Option(help="The mask of --image.", show_default=False)] = None,
    scheme: Annotated[str, typer.Option(help="Label scheme of --mask.")] = "",
    sequence: Annotated[
        str, typer.Option(help=f"What --image is: {', '.join(SEQUENCES)}. With --list: its signs only.")
    ] = "",
    series: Annotated[str, typer.Option(help="Which series of a DICOM folder (with --image).")] = "",
    subregions: Annotated[
        Path | None, typer.Option(help="Mask that separates body and posterior elements (with --image).")
    ] = None,
    subregions_scheme: Annotated[str, typer.Option(help="Label scheme of --subregions.")] = "",
    companion: Annotated[
        list[str] | None,
        typer.Option(
            help="SEQUENCE=IMAGE: a further image on the same grid (T1=t1.nii.gz); may be repeated."
        ),
    ] = None,
    output: Output = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Measure the radiologist's signs of every vertebra, or list what they are.

    For --image and --mask, exit code 0: every vertebra was measured; 1: some have no frame; 2: the scan is
    refused. With --output: signs.csv, absences.csv, frames.csv, and sheets/index.html with every line that
    was measured. For a study, 0: every vertebra was measured; 1: some failed.
    """
    if listed:
        _print_registry(sequence)
        raise typer.Exit(GOOD)
    if image is not None or mask is not None:
        source = _source(image, mask, scheme, sequence, series, subregions, subregions_scheme, companion)
        raise typer.Exit(_print_measured(pipeline.measure_one(source, output=output)))
    if study is None:
        remedy = "give study.yaml, --image IMAGE --mask MASK --scheme SCHEME --sequence SEQUENCE, or --list"
        raise SettingsError(Problem("RV602", "a study, or an image and a mask", "neither", "signs", remedy))
    with running(study, output, workers, quiet) as run:
        table = run.signs()
    raise typer.Exit(_print_table(table, run.study.signs))


def _source(
    image: Path | None,
    mask: Path | None,
    scheme: str,
    sequence: str,
    series: str,
    subregions: Path | None,
    subregions_scheme: str,
    companions: list[str] | None,
) -> pipeline.ScanSource:
    given = {"--image": image, "--mask": mask, "--scheme": scheme, "--sequence": sequence}
    missing = [name for name, value in given.items() if not value]
    if image is None or mask is None or missing:
        expected, found = ", ".join(given), f"no {', '.join(missing)}"
        raise SettingsError(Problem("RV602", expected, found, "signs", "give all four"))
    pairs = [text.partition("=") for text in companions or []]
    wrong = [
        text for text, (name, _, path) in zip(companions or [], pairs, strict=True) if not name or not path
    ]
    if wrong:
        remedy = "write --companion T1=t1.nii.gz"
        raise SettingsError(Problem("RV602", "SEQUENCE=IMAGE", repr(wrong[0]), "--companion", remedy))
    further = {name: Path(path) for name, _, path in pairs}
    return pipeline.ScanSource(image, mask, scheme, sequence, series, subregions, subregions_scheme, further)


def _print_registry(sequence: str) -> None:
    """Print the signs by family, each with its definition; with a sequence, those defined on it."""
    wanted = sequence.upper()
    if wanted and wanted not in SEQUENCES:
        remedy = "name one of them, or leave --sequence out"
        raise SettingsError(Problem("RV602", ", ".join(SEQUENCES), repr(sequence), "--sequence", remedy))
    chosen = [sign for sign in registry().values() if not wanted or wanted in sign.sequences]
    for family in dict.fromkeys(sign.family for sign in chosen):
        out.print(f"\n{family_title(family)}", markup=False)
        for sign in chosen:
            if sign.family == family:
                out.print("\n".join(_entry(sign)), markup=False)
    told = "; ".join(f"{key} {text}" for key, text in EVIDENCE.items())
    out.print(f"\n{count(len(chosen), 'sign')}. Evidence: {told}.", markup=False)
    out.print("High for: the diagnosis for which a high value speaks, after the seeds.", markup=False)


def _entry(sign: Sign) -> list[str]:
    sequences = "all sequences" if sign.sequences == SEQUENCES else ", ".join(sign.sequences)
    facts = [
        sign.unit,
        sequences,
        f"high for: {sign.direction}",
        sign.seed or "no seed",
        "".join(sign.evidence),
    ]
    scan = " (one value per scan)" if sign.scope == "scan" else ""
    told = f"{sign.label}. {sign.title}{scan}"
    title = textwrap.wrap(told, _WIDTH, initial_indent="      ", subsequent_indent="      ")
    return [f"  {sign.name:22} {' | '.join(facts)}", *title]


def _print_measured(measured: pipeline.ScanMeasured) -> int:
    """Print the signs of one scan; return the exit code."""
    for refusal in measured.refused:
        err.print(str(refusal.problem), markup=False)
    if measured.signs is None:
        out.print("refused", markup=False)
        return BAD_INPUT
    for sequence in measured.apart:
        out.print(f"{sequence} lies on another grid and was left out", markup=False)
    _print_values(measured.signs)
    _print_frames(measured.signs.facts)
    _print_absences(measured.signs.absences, len(measured.signs.values))
    if measured.pages:
        out.print(f"Sign sheets: {measured.pages}", markup=False)
    framed = (measured.signs.facts["frame"] != "none").all() and not measured.refused
    return GOOD if framed else PROBLEMS


def _print_values(found: measuring.ScanSigns) -> None:
    """Print one row per sign that some vertebra has, one column per vertebra."""
    values = found.values
    # Unnamed vertebrae have case ids such as `scan_label7`.
    heads = [
        str(level) or str(case).rsplit("_", 1)[-1]
        for level, case in zip(values["level"], values["case_id"], strict=True)
    ]
    rows = [
        [
            sign.label,
            sign.name,
            sign.unit,
            *(f"{value:.4g}" if pd.notna(value) else "-" for value in values[sign.name]),
        ]
        for sign in registry().values()
        if values[sign.name].notna().any()
    ]
    shown = pd.DataFrame(rows, columns=["sign", "column", "unit", *heads])
    out.print(shown.to_string(index=False), markup=False)


def _print_frames(facts: pd.DataFrame) -> None:
    """Print where each body comes from, how good its frame is, and which vertebrae it was compared with."""
    for row in facts.to_dict("records"):
        references = ", ".join(str(row["references"]).split()) or "none"
        flags = f" ({row['flags']})" if row["flags"] else ""
        name = row["level"] or row["case_id"]
        told = f"{name}: frame {row['frame']}{flags}; body: {row['body_source']}; references: {references}"
        out.print(told, markup=False)


def _print_absences(absences: pd.DataFrame, vertebrae: int) -> None:
    """Print why signs are absent: each reason once, with its signs and how many vertebrae it concerns."""
    if absences.empty:
        return
    out.print(f"Absent: {len(absences)} values of {vertebrae * len(registry())}", markup=False)
    for code, group in absences.groupby("code", sort=True):
        names = list(dict.fromkeys(group["sign"]))
        shown = ", ".join(names[:SHOWN_SIGNS]) + (", ..." if len(names) > SHOWN_SIGNS else "")
        reasons = group["reason"].value_counts()
        example = min(str(reason) for reason, times in reasons.items() if times == reasons.max())
        told = f"  {code} {CODES[str(code)]} ({len(group)} values; such as: {example}): {shown}"
        out.print(told, markup=False)


def _print_table(table: measuring.SignTable | None, folder: Path) -> int:
    if table is None:
        out.print("This study measures no signs (signs.measure is false)", markup=False)
        return GOOD
    features = table.features
    named: Sequence[str] = features.features
    out.print(
        f"{len(features.values)} of {features.n_cases} cases measured, {count(len(named), 'sign')}; "
        f"{len(features.failures)} failed\n{folder / 'features.csv'}",
        markup=False,
    )
    sheets = folder / "sheets" / "index.html"
    if sheets.is_file():
        out.print(f"Sign sheets: {sheets}", markup=False)
    for row in blanks_filled(features.failures).to_dict("records"):
        err.print(f"  {row['case_id']}: {row['code']} {row['title']}: {row['found']}", markup=False)
    return PROBLEMS if len(features.failures) else GOOD
