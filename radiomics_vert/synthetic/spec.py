"""What a synthetic cohort is made from: a handful of numbers and a seed."""

from __future__ import annotations

from dataclasses import dataclass

from radiomics_vert.errors import Problem, SettingsError, raise_all

RELEASE = 3
"""Of the pictures: raised when the same settings give other files."""
SEQUENCES = ("CT", "T1", "STIR", "T1_CONTRAST")


@dataclass(frozen=True)
class SyntheticSpec:
    """The settings of a synthetic cohort; equal settings give equal bytes.

    Parameters
    ----------
    patients : int, default 80
        Number of patients. Patient k is the same whatever this number is.
    seed : int, default 2026
        Root of all random numbers.
    sequences : tuple of str, default ("CT", "T1")
        Which of `CT`, sagittal `T1`, `STIR` and `T1_CONTRAST` (after contrast medium) to write. The three
        MRI sequences lie on one grid.
    malignant_share : float, default 0.45
        Share of patients with at least one metastatic fracture.
    mixed_share : float, default 0.5
        Of these patients, if they have several fractures, the share that has osteoporotic ones too.
    atypical_share : float, default 0.15
        Share of fractures that look like the other class (pseudo-malignant osteoporotic collapse,
        metastasis without destruction). It bounds what an honest model can reach; 0.5 leaves no
        vertebral sign of the class.
    icc : float, default 0.4
        Share of the variance of density, texture, signal and conspicuity that patients carry.

    Raises
    ------
    SettingsError
        RV602, one problem for each value out of range.

    Examples
    --------
    >>> SyntheticSpec(patients=8).seed
    2026
    """

    patients: int = 80
    seed: int = 2026
    sequences: tuple[str, ...] = ("CT", "T1")
    malignant_share: float = 0.45
    mixed_share: float = 0.5
    atypical_share: float = 0.15
    icc: float = 0.4

    def __post_init__(self) -> None:
        problems = [
            self._problem(name, f"a number from 0 to {top}")
            for name, top in (("malignant_share", 1), ("mixed_share", 1), ("atypical_share", 0.5), ("icc", 1))
            if not 0 <= getattr(self, name) <= top
        ]
        if self.patients < 1:
            problems.append(self._problem("patients", "at least 1"))
        if self.seed < 0:
            problems.append(self._problem("seed", "0 or a positive whole number"))
        if not self.sequences or set(self.sequences) - set(SEQUENCES):
            problems.append(self._problem("sequences", f"one or more of {', '.join(SEQUENCES)}"))
        raise_all(SettingsError, problems)

    def _problem(self, name: str, expected: str) -> Problem:
        found = repr(getattr(self, name))
        return Problem("RV602", expected, found, f"SyntheticSpec.{name}", f"choose {name} in that range")
