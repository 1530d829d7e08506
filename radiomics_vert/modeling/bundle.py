"""A fitted model as a folder: written with checksums, read without running anything from it.

The folder holds three files. `model.skops` is the pipeline, as data in a zip archive (no pickle);
`model.json` is everything else; `checksums.json` has the sha256 of both and one digest over all, which
names the bundle. Checksums in the folder guard against change by accident; who wants to guard against
exchange on purpose publishes the digest and gives it to :func:`load_bundle`.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline

from radiomics_vert.errors import AnalysisError, Problem, SettingsError
from radiomics_vert.modeling.baselines import PublishedProbability, TakigawaLogit
from radiomics_vert.modeling.classifiers import CalibratedSVC, PatientOversampler
from radiomics_vert.modeling.elastic_net import ElasticNetLogistic
from radiomics_vert.modeling.fitted import FittedModel
from radiomics_vert.modeling.harmonisation import SiteHarmoniser
from radiomics_vert.modeling.preparation import CorrelationFilter, NearConstantFilter, ReliabilityFilter
from radiomics_vert.modeling.selection import SELECTORS
from radiomics_vert.provenance import versions
from radiomics_vert.storage import atomic, digest

logger = logging.getLogger("radiomics_vert.modeling")

FORMAT = 2
PIPELINE, FACTS, CHECKSUMS = "model.skops", "model.json", "checksums.json"
_SCHEMA = "schema.json"
_DATE = (1980, 1, 1, 0, 0, 0)
_OLDEST_PROTOCOL = 2  # of skops; earlier ones had readers that trusted more
_MALFORMED = (
    AttributeError,
    BadZipFile,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    RecursionError,
    TypeError,
    ValueError,
)
_OWN_TYPES = tuple(
    f"{one.__module__}.{one.__qualname__}"
    for one in (
        CalibratedSVC,
        CorrelationFilter,
        ElasticNetLogistic,
        NearConstantFilter,
        PatientOversampler,
        PublishedProbability,
        ReliabilityFilter,
        SiteHarmoniser,
        TakigawaLogit,
        *SELECTORS.values(),
    )
)
_SKLEARN_TYPES = (
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn.calibration.CalibratedClassifierCV",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._forest.RandomForestClassifier",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.impute._base.MissingIndicator",
    "sklearn.impute._base.SimpleImputer",
    "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._label.LabelEncoder",
    "sklearn.svm._classes.SVC",
    "sklearn.tree._classes.DecisionTreeClassifier",
)
TRUSTED: Mapping[str, frozenset[str]] = {
    "DictNode": frozenset({"builtins.dict"}),
    "ListNode": frozenset({"builtins.list"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "JsonNode": frozenset({"builtins.str"}),
    "TypeNode": frozenset({"builtins.str"}),
    "DTypeNode": frozenset({"numpy.dtype"}),
    "NdArrayNode": frozenset(
        f"numpy.{name}" for name in ("ndarray", "float64", "int64", "int32", "uint64", "bool")
    ),
    "RandomGeneratorNode": frozenset({"numpy.random._generator.Generator"}),
    "LossNode": frozenset({"sklearn._loss._loss.CyHalfBinomialLoss"}),
    "TreeNode": frozenset({"sklearn.tree._tree.Tree"}),
    "ObjectNode": frozenset(_OWN_TYPES + _SKLEARN_TYPES),
}
"""All that a bundle may hold: per kind of node the types that this package writes. No function is among
them."""


def save_bundle(fitted: FittedModel, folder: Path) -> str:
    """Write a model as a bundle; the same model gives the same bytes.

    Parameters
    ----------
    fitted : FittedModel
        From :func:`~radiomics_vert.modeling.final.fit_final`.
    folder : Path
        Made when missing. A bundle is locked: a folder that holds anything else is refused.

    Returns
    -------
    str
        Digest of the bundle. Publish it with the model.

    Raises
    ------
    SettingsError
        RV604 when the folder holds something else.
    """
    facts = {"format": FORMAT, **fitted.as_dict()}
    files = {PIPELINE: _pipeline_bytes(fitted.pipeline), FACTS: _json_bytes(facts)}
    files[CHECKSUMS] = _checksums(files)
    if folder.exists() and _contents(folder) not in ({}, files):
        raise SettingsError(_folder_in_use(folder))
    for name, content in files.items():
        with atomic(folder / name) as temporary:
            temporary.write_bytes(content)
    return _digest(files)


def load_bundle(folder: Path, *, expected: str | None = None) -> FittedModel:
    """Read a bundle, after every byte of it was checked.

    Nothing of the bundle is executed: the pipeline is rebuilt from arrays and plain values into the
    classes of :data:`TRUSTED`, and anything else is refused before an object is made.

    Parameters
    ----------
    folder : Path
        What :func:`save_bundle` wrote.
    expected : str, optional
        The published digest of the bundle.

    Returns
    -------
    FittedModel
        It predicts what the saved model predicted, to the last digit, with the package versions that
        it names; other versions are logged.

    Raises
    ------
    AnalysisError
        RV510 when a file was changed, is missing or was added, when the digest is not the expected
        one, or when the bundle holds what this package never writes.
    """
    files = _contents(folder)
    _require_unchanged(files, folder, expected)
    pipeline = _read_pipeline(files[PIPELINE], folder / PIPELINE)
    try:
        facts = json.loads(files[FACTS])
        if facts.pop("format") != FORMAT:
            raise ValueError("another format")
        fitted = FittedModel.from_dict(pipeline, facts, _digest(files))
    except _MALFORMED as error:
        raise AnalysisError(_not_ours(folder / FACTS, f"{type(error).__name__}: {error}")) from error
    _log_versions(fitted)
    return fitted


def _pipeline_bytes(pipeline: Pipeline) -> bytes:
    """Return the pipeline in skops' format, without what differs from run to run.

    skops names arrays and objects by their address in memory and dates the entries: here arrays are
    named by their content, addresses are left out (they only say which objects are one and the same),
    and all dates are one.
    """
    with ZipFile(io.BytesIO(_skops().dumps(pipeline))) as written:
        schema = json.loads(written.read(_SCHEMA))
        arrays = {name: _canonical(written.read(name)) for name in written.namelist() if name != _SCHEMA}
    names = {old: f"{hashlib.sha256(content).hexdigest()[:32]}.npy" for old, content in arrays.items()}
    for node in _nodes(schema):
        node.pop("__id__", None)
        if "file" in node:
            node["file"] = names[node["file"]]
    entries = {names[old]: content for old, content in arrays.items()}
    entries[_SCHEMA] = json.dumps(schema, separators=(",", ":")).encode()
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_STORED) as archive:
        for name in sorted(entries):
            info = ZipInfo(name, _DATE)
            info.create_system = 3  # otherwise the operating system
            archive.writestr(info, entries[name])
    content = packed.getvalue()
    _require_trusted(content, Path(PIPELINE))
    return content


def _canonical(stored: bytes) -> bytes:
    """Return an array in numpy's format with the unused bytes between the fields of its rows set to 0."""
    array = np.load(io.BytesIO(stored), allow_pickle=False)
    if array.dtype.names is None:
        return stored
    clean = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names:
        clean[name] = array[name]
    if "missing_go_to_left" in array.dtype.names and "left_child" in array.dtype.names:
        # scikit-learn leaves this field of a leaf as it found the memory.
        clean["missing_go_to_left"][array["left_child"] < 0] = 0
    out = io.BytesIO()
    np.save(out, clean, allow_pickle=False)
    return out.getvalue()


def _read_pipeline(content: bytes, where: Path) -> Pipeline:
    _require_trusted(content, where)
    trusted = sorted(set().union(*TRUSTED.values()))
    try:
        pipeline = _skops().loads(content, trusted=trusted)
        if not isinstance(pipeline, Pipeline):
            raise TypeError(f"a {type(pipeline).__name__} in place of a pipeline")
        _require_sound(pipeline)
    except _MALFORMED as error:
        raise AnalysisError(_not_ours(where, f"{type(error).__name__}: {error}")) from error
    return pipeline


def _require_trusted(content: bytes, where: Path) -> None:
    """Refuse every node that is not of :data:`TRUSTED`, by reading names only."""
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            schema = json.loads(archive.read(_SCHEMA))
        if int(schema["protocol"]) < _OLDEST_PROTOCOL:
            raise ValueError(f"protocol {schema['protocol']} of skops")
        found = [(f"{one['__module__']}.{one['__class__']}", one["__loader__"]) for one in _nodes(schema)]
        strange = sorted({name for name, loader in found if name not in TRUSTED.get(loader, ())})
        if strange or not found:
            raise TypeError(f"the types {', '.join(strange[:5])}")
    except _MALFORMED as error:
        raise AnalysisError(_not_ours(where, f"{type(error).__name__}: {error}")) from error


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every node of a skops schema, wherever it stands."""
    if isinstance(schema, dict):
        if "__loader__" in schema:
            yield schema
        for value in schema.values():
            yield from _nodes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _nodes(value)


def _require_sound(pipeline: Pipeline) -> None:
    """Refuse trees whose branches lead nowhere: scikit-learn follows them without looking."""
    classifier: BaseEstimator = pipeline[-1]
    if isinstance(classifier, PatientOversampler):
        classifier = classifier.estimator_
    if isinstance(classifier, RandomForestClassifier):
        trees = [one.tree_ for one in classifier.estimators_]
        sound = all(
            _leads_on(tree.children_left, tree.children_right, tree.feature, tree.children_left < 0)
            and tree.feature.max(initial=0) < tree.n_features
            for tree in trees
        )
    elif isinstance(classifier, HistGradientBoostingClassifier):
        nodes = [one.nodes for stage in classifier._predictors for one in stage]
        sound = all(
            _leads_on(one["left"], one["right"], one["feature_idx"], one["is_leaf"] == 1)
            and one["feature_idx"].max(initial=0) < classifier.n_features_in_
            and not one["is_categorical"].any()
            for one in nodes
        )
    else:
        sound = True
    if not sound:
        raise ValueError("a decision tree whose branches lead out of it")


def _leads_on(
    left: NDArray[Any], right: NDArray[Any], feature: NDArray[Any], leaf: NDArray[np.bool_]
) -> bool:
    """Tell whether every branch leads to a later row of the same tree, so that every walk ends."""
    own = np.flatnonzero(~leaf)
    inside = all(np.all((side[own] > own) & (side[own] < len(leaf))) for side in (left, right))
    return bool(len(leaf) > 0 and inside and np.all(feature[own] >= 0))


def _skops() -> Any:
    # Imported here: it loads every estimator of scikit-learn, and most runs touch no bundle.
    from skops import io as skops_io

    return skops_io


def _json_bytes(value: Any) -> bytes:
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def _checksums(files: Mapping[str, bytes]) -> bytes:
    return _json_bytes({"files": _sums(files), "bundle": _digest(files)})


def _sums(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(files[name]).hexdigest() for name in (FACTS, PIPELINE)}


def _digest(files: Mapping[str, bytes]) -> str:
    return digest(_sums(files))


def _contents(folder: Path) -> dict[str, bytes]:
    """Return all files of a folder; what is no plain file stands with empty content."""
    if not folder.is_dir():
        found = "no such folder" if not folder.exists() else "a file"
        raise AnalysisError(
            Problem(
                "RV101", "the folder of a model bundle", found, str(folder), "correct the path of the bundle"
            )
        )
    return {one.name: one.read_bytes() if one.is_file() else b"" for one in sorted(folder.iterdir())}


def _require_unchanged(files: Mapping[str, bytes], folder: Path, expected: str | None) -> None:
    names = {PIPELINE, FACTS, CHECKSUMS}
    wrong = [f"{name} is missing" for name in sorted(names - set(files))]
    wrong += [f"{name} was added" for name in sorted(set(files) - names)]
    # The whole text is compared, so that a change within the checksums shows as well.
    if not wrong and files[CHECKSUMS] != _checksums(files):
        wrong = _changed(files)
    if not wrong and expected is not None and expected != _digest(files):
        wrong = [f"its digest is {_digest(files)}, expected was {expected}"]
    if wrong:
        raise AnalysisError(
            Problem(
                "RV510",
                f"{PIPELINE}, {FACTS} and {CHECKSUMS} as they were written, and nothing else",
                "; ".join(wrong),
                str(folder),
                "copy the bundle again from where it was published; do not use this one",
            )
        )


def _changed(files: Mapping[str, bytes]) -> list[str]:
    """Say which files and checksums do not fit; if all do, the checksums are written in another way."""
    try:
        written = json.loads(files[CHECKSUMS])["files"]
        differing = [name for name, own in _sums(files).items() if written[name] != own]
    except (KeyError, TypeError, ValueError):
        differing = []
    return [f"{name} differs from its checksum" for name in differing] or [f"{CHECKSUMS} was changed"]


def _log_versions(fitted: FittedModel) -> None:
    now = versions()
    computing = ("numpy", "scikit-learn", "scipy")
    differing = [
        f"{name} {fitted.versions.get(name)} (now {now[name]})"
        for name in computing
        if fitted.versions.get(name) != now[name]
    ]
    if differing:
        logger.warning("the model was fitted with other versions: %s", ", ".join(differing))


def _folder_in_use(folder: Path) -> Problem:
    return Problem(
        "RV604",
        "a new or empty folder: a bundle is locked and never written over",
        "a folder that holds something else, or another bundle",
        str(folder),
        "name another folder, or remove this one first",
    )


def _not_ours(where: Path, found: str) -> Problem:
    return Problem(
        "RV510",
        "a model as this version of the package writes it",
        found,
        str(where),
        "do not use this bundle; copy it again from where it was published, or ask its authors",
    )
