"""Replace subject ids by pseudonyms that only the holder of a secret can recompute."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from radiomics_vert.errors import CohortError, Problem

# [O] 128 bits of letters and digits; shorter secrets can be found by trying all ids.
SHORTEST = 22
# 48 bits: two of 100 000 patients share a pseudonym with a probability of 2 in 100 000.
_DIGITS = 12


def read_secret(path: str | Path) -> bytes:
    """Read the secret from a file of its own, which stays out of the study's results.

    Parameters
    ----------
    path : str or Path
        A text file with 22 characters or more, for example made by
        `python -c "import secrets; print(secrets.token_urlsafe(32))"`.

    Returns
    -------
    bytes
        Without surrounding white space.

    Raises
    ------
    CohortError
        RV101 no such file; RV602 fewer characters.
    """
    path = Path(path)
    if not path.is_file():
        remedy = 'make it: python -c "import secrets; print(secrets.token_urlsafe(32))" > FILE'
        raise CohortError(Problem("RV101", "a file with the secret", "no such file", str(path), remedy))
    secret = path.read_bytes().strip()
    if len(secret) < SHORTEST:
        remedy = 'use a random secret: python -c "import secrets; print(secrets.token_urlsafe(32))"'
        raise CohortError(
            Problem("RV602", f"{SHORTEST} characters or more", f"{len(secret)}", str(path), remedy)
        )
    return secret


def pseudonym(subject_id: str, secret: bytes) -> str:
    """Return the pseudonym of a subject: the same for the same id and secret, on every machine.

    Parameters
    ----------
    subject_id : str
        As in the tables; empty stays empty.
    secret : bytes
        What :func:`read_secret` returned.

    Returns
    -------
    str
        `S` and 12 hexadecimal digits of HMAC-SHA-256 (RFC 2104).

    Examples
    --------
    >>> pseudonym("P001", b"not a secret, an example")
    'S68a80f09d167'
    """
    if not subject_id:
        return ""
    return "S" + hmac.new(secret, subject_id.encode("utf-8"), hashlib.sha256).hexdigest()[:_DIGITS]
