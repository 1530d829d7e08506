"""Names of the families of signs for readers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FAMILY_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "heights": "Heights against the neighbours",
        "endplates": "Endplates",
        "wall": "Posterior wall",
        "replacement": "Replaced and spared marrow on T1",
        "edema": "Edema and fluid",
        "gas": "Gas in the body",
        "enhancement": "Contrast enhancement",
        "soft_tissue": "Tissue around the vertebra",
        "fat_water": "Fat, water and diffusion",
        "cortex": "Cortical bone",
        "density": "Lytic and blastic parts",
        "pedicles": "Pedicles and posterior elements",
        "canal": "Spinal canal",
        "bone": "Trabecular bone",
        "patient": "Pattern along the spine",
        "baselines": "Published scores",
    }
)
"""By the `family` of the registry."""


def family_title(family: str) -> str:
    """Return the name of a family; one without a title of its own is spelt out.

    Examples
    --------
    >>> family_title("fat_water"), family_title("new_family")
    ('Fat, water and diffusion', 'New family')
    """
    return FAMILY_TITLES.get(family, family.replace("_", " ").capitalize())
