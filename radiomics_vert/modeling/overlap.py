"""Patients, images and vertebrae of the development data, recognised without keeping any of them.

A bundle keeps salted hashes only. They answer one question: was this patient, this image, this vertebra
part of the development data?
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BLOCK = 5
"""[O] Features in one fingerprint. Whole numbers do not count: fewer values may be equal by chance."""
MOST_BLOCKS = 8
"""[O] Fingerprints of a vertebra at most, however many features it has."""


def patient_key(subject_id: str) -> str:
    """Return the form of a patient id in which ids are compared: no outer spaces, lower case."""
    return str(subject_id).strip().casefold()


def salted(salt: str, text: str) -> str:
    """Return the sha256 of a text after a salt."""
    return hashlib.sha256(f"{salt}:{text}".encode()).hexdigest()


def row_fingerprints(table: pd.DataFrame, names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return what tells each vertebra by its features, whatever it is called.

    A fingerprint is the sha256 over the values of five features at 6 significant digits. A vertebra has
    several, over features spread evenly through their sorted names: a value on the edge of rounding (in a
    table written with 7 digits, say) or an absent column spoils one of them, not all.

    Parameters
    ----------
    table : DataFrame, shape (n, columns)
        Features of n vertebrae; NaN where a value is missing.
    names : sequence of str
        The features that make the fingerprints; their order, and that of the columns, does not matter.

    Returns
    -------
    list of tuple of str, length n
        Empty for a vertebra without five features in one fingerprint that have values other than whole
        numbers; counts and flags coincide by chance.

    Examples
    --------
    >>> values = dict.fromkeys("abcdef", [1.25, 1.2500001, 1.2501])
    >>> first, second, third = row_fingerprints(pd.DataFrame(values), list("abcdef"))
    >>> len(first), first == second, first == third
    (1, True, False)
    """
    ordered = sorted(names)
    n_blocks = min(MOST_BLOCKS, len(ordered) // BLOCK)
    chosen = np.linspace(0, len(ordered) - 1, n_blocks * BLOCK).round().astype(int)
    found: list[tuple[str, ...]] = [()] * len(table)
    for block in range(n_blocks):
        own = [ordered[index] for index in chosen[block::n_blocks]]
        if not set(own) <= set(table.columns):
            continue
        numbers = table[own].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        telling = (np.isfinite(numbers) & (numbers != np.round(numbers))).all(axis=1)
        for row in np.flatnonzero(telling):
            found[row] += (_fingerprint(own, numbers[row]),)
    return found


def telling_fingerprints(
    rows: Sequence[tuple[str, ...]], patients: Sequence[str] | NDArray[np.object_]
) -> list[str]:
    """Return the fingerprints that belong to one patient only; the others tell nobody from another.

    Parameters
    ----------
    rows : sequence of tuple of str, length n
        From :func:`row_fingerprints`.
    patients : sequence of str, length n
        Patient of each row.

    Returns
    -------
    list of str
        Sorted.
    """
    owners: dict[str, set[str]] = {}
    for own, patient in zip(rows, patients, strict=True):
        for one in own:
            owners.setdefault(one, set()).add(str(patient))
    return sorted(one for one, of in owners.items() if len(of) == 1)


def _fingerprint(names: Sequence[str], row: NDArray[np.float64]) -> str:
    cells = (f"{name}={value:.6g}" for name, value in zip(names, row, strict=True))
    return hashlib.sha256("\n".join(cells).encode()).hexdigest()
