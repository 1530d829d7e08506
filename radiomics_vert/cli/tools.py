"""Commands that need no data: plan, schemes, versions; and the option --version."""

from __future__ import annotations

from typing import Annotated

import typer

from radiomics_vert import cohort, statistics
from radiomics_vert._version import __version__
from radiomics_vert.cli.common import app, out
from radiomics_vert.provenance import versions as installed_versions


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"radiomics-vert {__version__}", markup=False)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command()
def plan(
    prevalence: Annotated[float, typer.Option(help="Share of vertebrae of the positive class.")],
    parameters: Annotated[int, typer.Option(help="Candidate parameters, before any selection.")],
    auc: Annotated[float | None, typer.Option(help="AUC that the model is expected to have.")] = None,
    shrinkage: Annotated[float, typer.Option(help="Smallest acceptable expected shrinkage.")] = 0.9,
    vertebrae_per_patient: Annotated[float, typer.Option(help="Mean number of vertebrae per patient.")] = 1.0,
    icc: Annotated[float, typer.Option(help="Correlation of the class within patients, 0 to 1.")] = 0.0,
) -> None:
    """Tell how many vertebrae and patients a model needs; needs no data."""
    needed = statistics.plan_sample_size(
        prevalence=prevalence,
        candidate_parameters=parameters,
        anticipated_auc=auc,
        shrinkage=shrinkage,
        vertebrae_per_patient=vertebrae_per_patient,
        icc=icc,
    )
    out.print(needed.frame().drop(columns="note").to_string(index=False), markup=False)
    for text in needed.frame()["note"].dropna().unique():
        out.print(text, markup=False)


@app.command()
def schemes() -> None:
    """List the label schemes of masks."""
    for name in cohort.scheme_names():
        out.print(f"{name:32}{cohort.load_scheme(name).title}", markup=False)


@app.command()
def versions() -> None:
    """Print the versions that a report records."""
    for name, version in installed_versions().items():
        out.print(f"{name:20}{version}", markup=False)
