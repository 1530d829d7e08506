"""Run what the README shows, in a temporary folder, on files prepared here.

Above every bash block of the README stands `<!-- run -->` or `<!-- not run: reason -->`; every python
block is run. A text block under `<!-- output -->` must occur in what the block before it printed;
`...` stands for anything. Run it with `python -m docs.run_readme`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from docs.pages import ROOT
from radiomics_vert.cohort import Level, load_scheme
from radiomics_vert.storage import write_table
from radiomics_vert.synthetic import SyntheticSpec, make_cohort

README = ROOT / "README.md"
PATIENTS = 16
RUN, NOT_RUN, OUTPUT = "run", "not run:", "output"


@dataclass(frozen=True)
class Block:
    """A fenced block of the README.

    Parameters
    ----------
    language : str
        What stands behind the fence.
    mark : str
        The HTML comment in the line above, without its brackets; empty without one.
    text : str
        The content.
    line : int
        Line of the fence.
    """

    language: str
    mark: str
    text: str
    line: int

    @property
    def runs(self) -> bool:
        """Whether the block is to be run."""
        return self.language == "python" or (self.language == "bash" and self.mark == RUN)


def blocks(markdown: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order."""
    lines = markdown.splitlines()
    fences = [number for number, line in enumerate(lines) if line.startswith("```")]
    for start, end in zip(fences[::2], fences[1::2], strict=True):
        above = re.fullmatch(r"<!-- (.*) -->", lines[start - 1].strip()) if start else None
        mark = above[1] if above else ""
        yield Block(lines[start].strip("`").strip(), mark, "\n".join(lines[start + 1 : end]), start + 1)


def unmarked(found: Sequence[Block]) -> list[str]:
    """Return what is wrong with the marks above the bash blocks."""
    return [
        f"README.md, line {block.line}: write `<!-- run -->` or `<!-- not run: reason -->` above this block"
        for block in found
        if block.language == "bash" and block.mark != RUN and not re.match(rf"{NOT_RUN} \S", block.mark)
    ]


def matches(expected: str, printed: str) -> bool:
    r"""Return whether a shown output occurs in what was printed; `...` stands for anything.

    Examples
    --------
    >>> matches("2 errors, ...", "RV101\n2 errors, 1 warnings")
    True
    """
    pattern = ".*?".join(re.escape(part) for part in expected.strip().split("..."))
    return re.search(pattern, printed, re.DOTALL) is not None


# --- files that the README assumes -------------------------------------------------------------------


def prepare(folder: Path) -> None:
    """Write what a reader has before the walk: scans, a list of diagnoses, a table of features.

    Parameters
    ----------
    folder : Path
        Gets `scans/<patient>/ct.nii.gz` and `segmentation.nii.gz` with the numbers of TotalSegmentator,
        `diagnoses.csv`, and `table.csv`.
    """
    made = make_cohort(folder / "made", SyntheticSpec(patients=PATIENTS, sequences=("CT",)), n_jobs=2)
    for row in pd.read_csv(made / "images.csv").to_dict("records"):
        patient = folder / "scans" / _patient(str(row["subject_id"]))
        patient.mkdir(parents=True)
        shutil.copy(made / str(row["image"]), patient / "ct.nii.gz")
        _as_totalsegmentator(made / str(row["mask"]), patient / "segmentation.nii.gz")
    clinical = pd.read_csv(made / "clinical.csv", dtype=str)
    clinical["subject_id"] = clinical["subject_id"].map(_patient)
    # A slip that real lists have, for `check` to find: no scan of this patient reaches T4.
    slip = pd.DataFrame([{**clinical.iloc[0].to_dict(), "level": "T4"}])
    listed = pd.concat([clinical, slip])[["subject_id", "level", "diagnosis", "age", "sex"]]
    write_table(listed, folder / "diagnoses.csv")
    write_table(_plain_table(), folder / "table.csv")
    shutil.rmtree(made)


def _patient(subject: str) -> str:
    return subject.replace("SYN", "P")


def _as_totalsegmentator(source: Path, target: Path) -> None:
    """Write a mask with VerSe numbers again with those of TotalSegmentator; other labels become 0."""
    mask = sitk.ReadImage(str(source))
    verse, total = load_scheme("verse"), load_scheme("totalsegmentator")
    table = np.zeros(256, dtype=np.uint8)
    for level in Level:
        if level in verse.vertebrae and level in total.vertebrae:
            table[verse.label(level)] = total.label(level)
    volume = sitk.GetImageFromArray(table[sitk.GetArrayFromImage(mask)])
    volume.CopyInformation(mask)
    sitk.WriteImage(volume, str(target))


def _plain_table() -> pd.DataFrame:
    """Return a feature table as another program may have made it: two rows for each of 40 patients."""
    rng = np.random.default_rng(7)
    patient = np.repeat(np.arange(40), 2)
    target = (patient % 2 == 0).astype(int)
    features = rng.normal(size=(80, 12)) + 0.8 * np.outer(target, np.arange(12) < 3)
    table = pd.DataFrame(features, columns=[f"feature_{k + 1}" for k in range(12)])
    return table.assign(ID=[f"P{k:03d}" for k in patient], Target=target)


# --- running -------------------------------------------------------------------------------------------


def run_block(block: Block, folder: Path) -> str:
    """Run one block in `folder`; return what it printed.

    Raises
    ------
    RuntimeError
        It ended with another exit code than 0.
    """
    command = [sys.executable, "-c"] if block.language == "python" else ["bash", "-euo", "pipefail", "-c"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(  # noqa: S603 - the commands are those of our own README
        [*command, block.text],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def run_all(found: Sequence[Block], folder: Path) -> list[str]:
    """Run all blocks in order; stop at the first that fails.

    Returns
    -------
    list of str
        What went wrong; empty when nothing did.
    """
    printed = ""
    for block in found:
        if block.mark == OUTPUT and not matches(block.text, printed):
            return [f"README.md, line {block.line}: the output shown is not what was printed:\n{printed}"]
        if not block.runs:
            continue
        started = time.perf_counter()
        try:
            printed = run_block(block, folder)
        except RuntimeError as error:
            return [f"README.md, line {block.line}: {block.language} block failed\n{block.text}\n{error}"]
        seconds = time.perf_counter() - started
        first = block.text.strip().splitlines()[0]
        sys.stdout.write(f"ok, {seconds:5.1f} s, line {block.line}: {first}\n")
        sys.stdout.flush()
    return []


def main() -> int:
    """Check and run the README; return the exit code."""
    found = list(blocks(README.read_text("utf-8")))
    problems = unmarked(found)
    if not problems:
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder))
            problems = run_all(found, Path(folder))
    sys.stderr.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
