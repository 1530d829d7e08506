"""The command that builds an image table from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radiomics_vert import config
from radiomics_vert.cli.common import GOOD, PROBLEMS, app, err, out
from radiomics_vert.cohort.discovery import LAYOUTS, discover
from radiomics_vert.phrases import count

_SHOWN = 20


@app.command()
def manifest(
    root: Annotated[Path, typer.Argument(help="Folder with images and masks, or with masks alone.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Image table to write.")] = Path(
        "images.csv"
    ),
    layout: Annotated[
        str | None, typer.Option(help=f"{', '.join(LAYOUTS)}; found from the folder by default.")
    ] = None,
    scheme: Annotated[str | None, typer.Option(help="Label scheme of the masks.")] = None,
    image: Annotated[
        str | None, typer.Option(help="Pattern of images, such as '{subject}/{sequence}.nii.gz'.")
    ] = None,
    mask: Annotated[
        str | None, typer.Option(help="Pattern of masks, such as '{subject}/seg_{rater}.nii.gz'.")
    ] = None,
    subregions: Annotated[str | None, typer.Option(help="Pattern of sub-region masks.")] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images (TotalSegmentator), when apart from the masks.")
    ] = None,
    sequence: Annotated[
        str | None, typer.Option(help="Sequence of all images, where names do not tell.")
    ] = None,
    derivatives: Annotated[str | None, typer.Option(help="Folder below derivatives to use (BIDS).")] = None,
    mask_name: Annotated[str | None, typer.Option(help="Text in the names of masks to use (BIDS).")] = None,
) -> None:
    """Build images.csv from a BIDS dataset, a TotalSegmentator output or a folder pattern.

    Files that look like images or masks and did not become a row are listed with the reason. The example
    table of `init` is replaced, any other table stays.
    """
    found = discover(
        root,
        layout=layout,
        scheme=scheme,
        image=image,
        mask=mask,
        subregions=subregions,
        images=images,
        sequence=sequence,
        derivatives=derivatives,
        mask_name=mask_name,
    )
    lines = [f"  {path.relative_to(root) if path.is_relative_to(root) else path}: {reason}"
             for path, reason in sorted(found.left_out.items())]  # fmt: skip
    for line in lines[:_SHOWN]:
        err.print(line, markup=False)
    if len(lines) > _SHOWN:
        err.print(f"  ... and {len(lines) - _SHOWN} more", markup=False)
    found.write(output, replace=config.is_untouched(output))
    patients = len({row.subject_id for row in found.rows})
    out.print(
        f"{count(len(found.rows), 'image')} of {count(patients, 'patient')}, "
        f"{count(len(found.left_out), 'file')} left out\n{output}",
        markup=False,
    )
    raise typer.Exit(PROBLEMS if found.left_out else GOOD)
