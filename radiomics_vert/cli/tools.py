"""Commands that need no data: plan, schemes, versions."""

from __future__ import annotations

from typing import Annotated

import typer

from radiomics_vert.cli.common import app, out
from radiomics_vert.cohort import load_scheme, scheme_names
from radiomics_vert.provenance import versions as installed_versions
from radiomics_vert.statistics import plan_sample_size


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
    needed = plan_sample_size(
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
    for name in scheme_names():
        out.print(f"{name:32}{load_scheme(name).title}", markup=False)


@app.command()
def versions() -> None:
    """Print the versions that a report records."""
    for name, version in installed_versions().items():
        out.print(f"{name:20}{version}", markup=False)
