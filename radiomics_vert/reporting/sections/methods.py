"""Methods text, ready to paste; every number is filled from the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radiomics_vert.reporting.cells import distinct, facts
from radiomics_vert.reporting.inputs import Inputs, numeric
from radiomics_vert.reporting.models import models, primary, settings_of
from radiomics_vert.reporting.nouns import Item, Section, Text
from radiomics_vert.reporting.sections import methods_analyses, methods_conventions
from radiomics_vert.reporting.sections.counts import counts
from radiomics_vert.reporting.wording import ABSENT, count, listing, number, plain, sentence_case

_REFERENCES = {
    "extraction": "van Griethuysen et al. 2017, Cancer Res 77:e104, doi:10.1158/0008-5472.CAN-17-0339 "
    "(pyradiomics)",
    "clustered": "Obuchowski 1997, Biometrics 53:567, doi:10.2307/2533958 (AUC of clustered data)",
    "decision": "Vickers and Elkin 2006, Med Decis Making 26:565, doi:10.1177/0272989X06295361 (decision "
    "curve)",
    "calibration": "Austin and Steyerberg 2019, Stat Med 38:4051, doi:10.1002/sim.8281 (smooth "
    "calibration, ICI)",
    "fdr": "Benjamini and Hochberg 1995, J R Stat Soc B 57:289, "
    "doi:10.1111/j.2517-6161.1995.tb02031.x (false discovery rate)",
}

_SPOKEN = (  # said in words, or elsewhere in the text
    *("folds", "inner_folds", "repeats", "feature_set", "outcome", "positive", "negative", "n", "n_subjects"),
)


def section(inputs: Inputs) -> Section:
    """Return the section."""
    text = [
        part
        for part in (
            _data(inputs),
            _features(inputs),
            _statistics(inputs),
            _models(inputs),
            *methods_analyses.sentences(inputs),
            _software(inputs),
        )
        if part
    ]
    items: list[Item] = [
        Text(("Ready to paste and to edit. Every number below was filled in from the run.",)),
        Text((*text, "References: " + "; ".join(_references(inputs)) + "."), "paste"),
        *_choices(inputs),
    ]
    return Section("methods", "Methods text", tuple(items))


def _data(inputs: Inputs) -> str:
    found, study = counts(inputs), inputs.spec("study")
    if not found.units:
        return ""
    kind = "computer-generated patients" if inputs.synthetic else "patients"
    outcome = (
        f" The outcome was {study['outcome']} ({inputs.positive} against {inputs.negative})."
        if study.get("outcome")
        else ""
    )
    several = " Several of them could belong to one patient." if found.units > found.subjects else ""
    return (
        f"We analysed {count(found.units, *inputs.unit)} of {number(found.subjects)} {kind}: "
        f"{number(found.positive)} "
        f"{inputs.positive} and {number(found.negative)} {inputs.negative}.{outcome} The unit of "
        f"analysis was the {inputs.unit[0]}.{several}"
    )


def _features(inputs: Inputs) -> str:
    summary, spec = inputs.table("extraction", "summary"), inputs.spec("extraction")
    if summary.empty:
        return ""
    found = counts(inputs)
    engine = f"{spec.get('engine', 'pyradiomics')} {spec.get('engine_version', '')}".strip()
    parameters = sorted(dict(spec.get("parameters") or {}).items())
    settings = " ".join(_settings(str(name), value) for name, value in parameters)
    return (
        f"Radiomic features were computed with {engine} "
        f"({listing(distinct(summary, 'sequence'), 12)}), one mask "
        f"label per vertebra. Of {count(found.cases, 'case')} (a vertebra in an image), "
        f"{number(found.extracted)} "
        f"gave features and {number(found.failed)} failed. {settings}"
    ).strip()


def _settings(sequence: str, settings: Any) -> str:
    if not isinstance(settings, Mapping):
        return f"{sequence}: parameters in {plain(settings)}."
    told = ("file", "digest", "preprocessing", "conventions")
    rest = {name: value for name, value in settings.items() if name not in told}
    nested = rest.pop("settings", None)
    if isinstance(nested, Mapping):
        rest |= nested
    head = f"{sequence}: parameters in {plain(settings.get('file', 'a file not recorded'))}"
    digest = f" (sha256 {str(settings['digest'])[:12]})" if settings.get("digest") else ""
    listed = "; ".join(f"{name} {plain(value)}" for name, value in sorted(rest.items()))
    before = _preprocessing(settings.get("preprocessing"))
    before += methods_conventions.conventions_text(settings.get("conventions"), nested)
    return f"{head}{digest}" + (f": {listed}." if listed else ".") + before


def _preprocessing(settings: Any) -> str:
    """Say what happened to the images before features were computed."""
    if not isinstance(settings, Mapping):
        return ""
    parts = []
    if settings.get("orientation") == "LPS":
        parts.append("axes were permuted and flipped to left, posterior, superior without interpolation")
    if settings.get("exclude_above") is not None:
        parts.append(
            f"voxels above {plain(settings['exclude_above'])} and within "
            f"{plain(settings['exclude_margin_mm'])} mm "
            "of one were left out of grey values, and vertebrae that lost more than "
            f"{100 * settings['exclude_limit']:g} % were not measured"
        )
    if settings.get("bias_correction") == "n4":
        parts.append("the bias field was removed by N4 (Tustison 2010, doi:10.1109/TMI.2010.2046908)")
    if settings.get("intensity") == "zscore":
        parts.append("intensities were standardised by mean and standard deviation of each vertebra")
    if settings.get("intensity") == "reference":
        level = (
            "; the centre follows the level (Theil-Sen line through the medians of at least "
            f"{plain(settings['reference_minimum'])} unfractured vertebrae)"
            if "vertebrae" in settings["reference"]
            else ""
        )
        parts.append(
            "intensities were expressed as z = (I - median) / (1.4826 MAD) of a reference tissue of the same "
            f"scan, the first available of {plain(settings['reference'])}{level}"
        )
    return f" Before: {'; '.join(parts)}." if parts else ""


def _statistics(inputs: Inputs) -> str:
    features = inputs.table("association", "features")
    if features.empty:
        return ""
    families = len(distinct(features, "family"))
    passed = int((numeric(features, "p_adjusted") < inputs.fdr).sum())
    return (
        f"Each of {count(len(features), 'feature')} in {count(families, 'family', 'families')} was "
        "compared between the classes by the area "
        "under the receiver operating characteristic curve (AUC; ties count one half). Standard "
        "errors took the "
        f"clustering of {inputs.unit[1]} within patients into account (Obuchowski); {inputs.level} "
        "intervals were computed on the logit scale. "
        "P values were adjusted by the Benjamini-Hochberg procedure over all features and within "
        f"families; {number(passed)} features "
        f"had an adjusted p below {inputs.fdr:g}. Hedges g and Cliff's delta are given as effect sizes."
    )


def _models(inputs: Inputs) -> str:
    every, shown = models(inputs), primary(inputs)
    if shown is None:
        return ""
    spec = settings_of(inputs, shown)
    folds = f"{number(spec['folds'])}-fold " if "folds" in spec else ""
    inner = f" ({number(spec['inner_folds'])} inner folds)" if "inner_folds" in spec else ""
    repeats = f", repeated {count(spec['repeats'], 'time')}" if "repeats" in spec else ""
    rest = plain({name.replace("_", " "): value for name, value in spec.items() if name not in _SPOKEN})
    return (
        f"We validated {count(len(every), 'model')} ({listing([model.label for model in every], 12)}) by "
        f"{folds}nested cross-validation{inner}{repeats}; all {inputs.unit[1]} of a patient were in the same "
        "fold. Imputation, scaling, feature filters, selection, hyper-parameters and the decision threshold "
        "were fitted in the training part of each fold only. Intervals are clustered by patient."
    ) + (f" Settings: {rest}." if rest != ABSENT else "")


def _software(inputs: Inputs) -> str:
    versions = inputs.spec("provenance").get("versions")
    if not isinstance(versions, Mapping) or not versions:
        return ""
    return f"Software: {', '.join(f'{name} {plain(version)}' for name, version in sorted(versions.items()))}."


def _references(inputs: Inputs) -> list[str]:
    chosen = [_REFERENCES["extraction"], methods_conventions.REFERENCE] if "extraction" in inputs else []
    if "association" in inputs or "validation" in inputs:
        chosen.append(_REFERENCES["clustered"])
    if "association" in inputs:
        chosen.append(_REFERENCES["fdr"])
    if "validation" in inputs:
        chosen += _validation_references(inputs)
    return [*chosen, *methods_analyses.references(inputs)] or ["none for the stages that were run"]


def _validation_references(inputs: Inputs) -> list[str]:
    """Return the sources of the curves that the validation holds."""
    held = {"decision_curve": "decision", "calibration_curve": "calibration"}
    return [_REFERENCES[name] for table, name in held.items() if len(inputs.table("validation", table))]


def _choices(inputs: Inputs) -> list[Item]:
    choices = inputs.spec("study").get("choices")
    if not isinstance(choices, Mapping) or not choices:
        return []
    pairs = {sentence_case(str(name)): value for name, value in sorted(choices.items())}
    return [facts("choices", "Choices that the study made before the analysis.", pairs)]
