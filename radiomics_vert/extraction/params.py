"""`ExtractionParams`: what to compute, read from ordinary pyradiomics parameter files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from radiomics_vert.errors import Problem, SettingsError, raise_all
from radiomics_vert.extraction.engines import choose_engine
from radiomics_vert.extraction.ibsi import Conventions
from radiomics_vert.extraction.params_check import check
from radiomics_vert.extraction.preprocessing import Preprocessing
from radiomics_vert.extraction.settings import (
    FEATURE_CLASSES,
    FILTERS,
    IGNORED,
    SHARED,
    narrowed,
    reads_image,
)
from radiomics_vert.storage import digest, parse_yaml


@dataclass(frozen=True)
class Step:
    """A part of an extraction that is computed and cached by itself.

    Parameters
    ----------
    name : str
        `shape`, `original`, `log-sigma-2.0`, `wavelet`, `square`, ...
    image_type : str or None
        The pyradiomics image type; None for shape.
    settings : mapping
        Exactly the settings that this step reads, defaults written out.
    feature_classes : mapping of str to tuple of str
        Feature classes, each with its features; an empty tuple means all of the class.
    preprocessing : mapping
        What of the preprocessing this step's values depend on.
    engine : str
        What computes it, `native` or `pyradiomics`; no part of its digest, but of every cache key.
    """

    name: str
    image_type: str | None
    settings: Mapping[str, Any]
    feature_classes: Mapping[str, tuple[str, ...]]
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    engine: str = "pyradiomics"

    @property
    def reads_image(self) -> bool:
        """Whether grey values matter to this step: False for shape, unless it is resegmented."""
        return reads_image(self.settings, self.image_type)

    def content(self) -> dict[str, Any]:
        """Return all that determines the values of this step, as plain values."""
        classes = {name: list(features) for name, features in self.feature_classes.items()}
        own = {"image_type": self.image_type, "feature_classes": classes}
        return {**own, **self.settings, **self.preprocessing}

    @property
    def digest(self) -> str:
        """The sha256 of :meth:`content`."""
        return digest(self.content())


@dataclass(frozen=True)
class ExtractionParams:
    """Parsed and checked extraction parameters.

    Parameters
    ----------
    name : str
        The file's name without its ending.
    image_types : mapping of str to mapping
        pyradiomics image types, each with the settings that hold for it alone.
    feature_classes : mapping of str to tuple of str
        pyradiomics feature classes; an empty tuple means all features of the class.
    settings : mapping
        Settings for all image types, pyradiomics' defaults written out.
    preprocessing : Preprocessing
        What happens to the image before.
    engine : str
        `auto`, `native` or `pyradiomics`; no part of the digest.
    conventions : Conventions
        Where IBSI's definitions take the place of pyradiomics' own.
    digest : str
        The sha256 of the canonical form; the name is no part of it.
    """

    name: str
    image_types: Mapping[str, Mapping[str, Any]]
    feature_classes: Mapping[str, tuple[str, ...]]
    settings: Mapping[str, Any]
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    engine: str = "auto"
    conventions: Conventions = field(default_factory=Conventions)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        types = {key: MappingProxyType(dict(value)) for key, value in self.image_types.items()}
        object.__setattr__(self, "image_types", MappingProxyType(types))
        object.__setattr__(self, "feature_classes", MappingProxyType(dict(self.feature_classes)))
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))
        object.__setattr__(self, "digest", digest([step.content() for step in self.steps()]))

    def __reduce__(self) -> tuple[type[ExtractionParams], tuple[Any, ...]]:
        types = {key: dict(value) for key, value in self.image_types.items()}
        classes, settings = dict(self.feature_classes), dict(self.settings)
        own = (self.preprocessing, self.engine, self.conventions)
        return type(self), (self.name, types, classes, settings, *own)

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any], name: str = "parameters") -> ExtractionParams:
        """Check the content of a pyradiomics parameter file and complete it with the defaults.

        Raises
        ------
        SettingsError
            RV303, one problem per fault.
        """
        raise_all(SettingsError, check(content, name))
        given = {key: value for key, value in content.get("setting", {}).items() if key not in IGNORED}
        types = content.get("imageType") or {"Original": {}}
        classes = content.get("featureClass") or dict.fromkeys(FEATURE_CLASSES)
        return cls(
            name,
            {key: dict(own or {}) for key, own in types.items()},
            {key: tuple(features or ()) for key, features in classes.items()},
            {**SHARED, **given},
            Preprocessing.from_mapping(content.get("preprocessing") or {}),
            conventions=Conventions.from_section(content.get("conventions")),
        )

    def steps(self) -> tuple[Step, ...]:
        """Split the extraction into the parts that are computed and cached by themselves.

        Shape depends on no grey-level setting, and each LoG sigma is a part of its own: adding a
        sigma or changing the bin width leaves the other parts as they are.

        Examples
        --------
        >>> content = {"imageType": {"Original": {}, "LoG": {"sigma": [1, 2]}}}
        >>> [step.name for step in ExtractionParams.from_mapping(content).steps()]
        ['shape', 'original', 'log-sigma-1', 'log-sigma-2']
        """
        shape = {key: value for key, value in self.feature_classes.items() if key == "shape"}
        texture = {key: value for key, value in self.feature_classes.items() if key != "shape"}
        found = [self._step("shape", None, self.settings, shape)] if shape else []
        for image_type, own in self.image_types.items() if texture else ():
            settings = {**FILTERS[image_type], **self.settings, **own}
            for name, particular in _variants(image_type, settings):
                found.append(self._step(name, image_type, particular, texture))
        return tuple(found)

    def _step(
        self,
        name: str,
        image_type: str | None,
        settings: Mapping[str, Any],
        classes: Mapping[str, tuple[str, ...]],
    ) -> Step:
        before = self.preprocessing.content(reads_image(settings, image_type))
        read = narrowed(settings, image_type)
        if own := self.conventions.narrowed(read, image_type):
            read["conventions"] = own
        engine = choose_engine(self.engine, name, classes, read)
        return Step(name, image_type, read, classes, before, engine)


def _variants(image_type: str, settings: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    if image_type != "LoG":
        return [(image_type.lower(), settings)]
    return [(f"log-sigma-{sigma}", {**settings, "sigma": [sigma]}) for sigma in settings["sigma"]]


def read_params(path: str | Path) -> ExtractionParams:
    """Read a pyradiomics parameter file (YAML), with sections of our own: `preprocessing`, `conventions`.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    ExtractionParams

    Raises
    ------
    SettingsError
        RV303: the file is absent or no YAML mapping, has an unknown or unsuitable key, or a value that
        :class:`Preprocessing` or pyradiomics' own schema refuses. All faults are reported at once.
    """
    path = Path(path)
    try:
        content = parse_yaml(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _unreadable(path, " ".join(str(error).split()), "correct the path or the file") from error
    if not isinstance(content, dict):
        found = "an empty file" if content is None else f"a {type(content).__name__}"
        raise _unreadable(path, found, "start from one of the files in params/")
    try:
        return ExtractionParams.from_mapping(content, path.stem)
    except SettingsError as error:
        problems = (
            Problem(p.code, p.expected, p.found, f"{path}{p.where.removeprefix(path.stem)}", p.remedy)
            for p in error.problems
        )
        raise SettingsError(*problems) from None


def _unreadable(path: Path, found: str, remedy: str) -> SettingsError:
    expected = "a pyradiomics parameter file: YAML with imageType, featureClass and setting"
    return SettingsError(Problem("RV303", expected, found, str(path), remedy))


def params_folder() -> Path:
    """Return the folder of the shipped parameter files: in the installed package, or in the repository."""
    package = Path(str(resources.files("radiomics_vert")))
    installed = package / "params"
    return installed if installed.is_dir() else package.parent / "params"


def builtin_params(name: str) -> ExtractionParams:
    """Return shipped parameters by name.

    Parameters
    ----------
    name : str
        `ct`, `t1`, `t2`, `stir`, `t1_contrast`, `adc` or `fat_fraction`.

    Returns
    -------
    ExtractionParams

    Raises
    ------
    SettingsError
        RV303: no parameters of that name are shipped.
    """
    folder = params_folder()
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in names:
        expected = f"one of {', '.join(names)}"
        remedy = "correct the name, or give the path of your own file to read_params"
        raise SettingsError(Problem("RV303", expected, repr(name), "built-in parameters", remedy))
    return read_params(folder / f"{name}.yaml")
