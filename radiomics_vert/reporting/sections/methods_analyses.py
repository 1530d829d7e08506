"""Methods sentences for the analyses beyond the core, with numbers from the specifications only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from radiomics_vert.reporting.inputs import Inputs
from radiomics_vert.reporting.models import model_of_spec
from radiomics_vert.reporting.wording import count, listing, number, plain, sentence_case

_REPEATED = {"rater": "raters", "session": "sessions", "perturbation": "changed masks"}
REFERENCES = {
    "signs": "Rao and Scott 1992, Biometrics 48:577, doi:10.2307/2532311 (clustered proportions)",
    "reliability": "Shrout and Fleiss 1979, Psychol Bull 86:420, doi:10.1037/0033-2909.86.2.420 (intraclass "
    "correlation)",
    "adjusted": "Liang and Zeger 1986, Biometrika 73:13, doi:10.1093/biomet/73.1.13 (generalised estimating "
    "equations); Kauermann and Carroll 2001, J Am Stat Assoc 96:1387, doi:10.1198/016214501753382309 (their "
    "variance); Heinze and Schemper 2002, Stat Med 21:2409, doi:10.1002/sim.1047 (sparse data)",
    "sample_size_check": "Riley et al. 2020, BMJ 368:m441, doi:10.1136/bmj.m441 (sample size)",
    "comparison": "Nadeau and Bengio 2003, Mach Learn 52:239, doi:10.1023/A:1024068626366 (resampled t test)",
    "optimism": "Harrell et al. 1996, Stat Med 15:361 (optimism); Efron and Tibshirani 1997, J Am Stat Assoc "
    "92:548, doi:10.2307/2965703 (.632+); Riley and Collins 2023, Biom J 65:2200302, "
    "doi:10.1002/bimj.202200302 (instability)",
    "permutation": "Phipson and Smyth 2010, Stat Appl Genet Mol Biol 9:39, doi:10.2202/1544-6115.1585 "
    "(permutation p values)",
    "external": "Steyerberg and Vergouwe 2014, Eur Heart J 35:1925, doi:10.1093/eurheartj/ehu207 "
    "(validation and "
    "updating)",
}


def sentences(inputs: Inputs) -> list[str]:
    """Return a paragraph for each analysis that was run, in the order of the report."""
    return [write(inputs.spec(kind)) for kind, write in _WRITERS.items() if kind in inputs]


def references(inputs: Inputs) -> list[str]:
    """Return the sources of the analyses that were run."""
    return [text for kind, text in REFERENCES.items() if kind in inputs]


def _signs(spec: Mapping[str, Any]) -> str:
    rows = sum(dict(spec["n_by_agreement"]).values())
    verdicts = dict(spec["n_by_verdict"])
    compared = sum(int(verdicts[name]) for name in ("agrees", "lower", "higher"))
    literature = (
        " Where the literature gives a cut-off or an AUC for the same quantity, the study's own sensitivity, "
        f"specificity or AUC was set against it ({count(compared, 'comparison')}); cut-offs were those of "
        "the sources, and their figures were taken as exact."
    )
    return (
        f"{number(spec['n_signs'])} of {number(spec['n_registry'])} predefined imaging signs were measured "
        f"({count(rows, 'measurement')} over all sequences). The direction expected of each was fixed "
        f"before; a sign was said to agree or to disagree when the {_level(spec)} interval of its AUC lay "
        "wholly on one side of 0.5. Of signs with a side the absolute value was tested."
        f"{literature if compared else ''}"
    )


def _reliability(spec: Mapping[str, Any]) -> str:
    targets = (
        f" in {count(spec['n_targets'], 'vertebra', 'vertebrae')} of {count(spec['n_subjects'], 'patient')}"
        if {"n_targets", "n_subjects"} <= set(spec)
        else ""
    )
    raters = [str(name) for name in spec.get("raters", ())]
    who = f" ({listing(raters, 12)})" if raters else ""
    samples = spec.get("n_bootstrap")
    drawn = f", {number(samples)} samples, seed {plain(spec.get('seed'))}" if samples else ""
    return (
        "Reliability was assessed between "
        f"{_REPEATED.get(str(spec.get('by')), 'measurements')}{who}{targets} by "
        f"the {spec.get('form', 'intraclass correlation')} with {_level(spec)} intervals "
        f"({spec.get('interval', 'F')}{drawn}); features with a coefficient of at least "
        f"{plain(spec.get('threshold', 0.75))} were called reliable."
    )


def _adjusted(spec: Mapping[str, Any]) -> str:
    covariates = [sentence_case(str(name)).lower() for name in spec.get("covariates", ())]
    features = f" of {count(spec['n_features'], 'feature')}" if "n_features" in spec else ""
    preferred = spec.get("preferred_correlation")
    correlation = f" The {preferred} working correlation was read." if preferred else ""
    return (
        f"The association{features} with the class was adjusted for "
        f"{listing(covariates, 12) or 'no covariate'} by "
        "logistic regression with generalised estimating equations, patients as clusters, with the "
        "small-sample variance of Kauermann and Carroll; odds ratios are per standard deviation with "
        f"{_level(spec)} intervals.{correlation} Firth's penalised likelihood replaced it where data "
        "were sparse "
        "or classes separated. A linear mixed model of the feature with a random intercept per patient "
        "served "
        "as a second opinion."
    )


def _comparison(spec: Mapping[str, Any]) -> str:
    pairs = f" of {count(spec['n_pairs'], 'pair')}" if "n_pairs" in spec else ""
    return (
        f"Models were compared{pairs} by the paired difference of AUC with {_level(spec)} intervals that "
        "respect "
        "the clustering (Obuchowski), and by the corrected resampled t test over folds; p values were not "
        "adjusted for the number of pairs."
    )


def _optimism(spec: Mapping[str, Any]) -> str:
    return (
        f"Optimism of the model ({model_of_spec(spec)}) was estimated by repeating the whole modelling in "
        f"{_times(spec, 'n_boot', 'bootstrap sample')} of patients{_seed(spec)}; we give Harrell's "
        "correction, the "
        ".632+ estimate and the instability of the predictions."
    )


def _explanation(spec: Mapping[str, Any]) -> str:
    limit = spec.get("together")
    together = f" (absolute Spearman correlation above {plain(limit)})" if limit else ""
    return (
        f"The model ({model_of_spec(spec)}) was explained by permutation importance on the outer test "
        "folds, with "
        f"{_times(spec, 'n_permutations', 'shuffle')} each{_seed(spec)}; features that "
        f"correlate{together} were "
        "shuffled together."
    )


def _shapley(spec: Mapping[str, Any]) -> str:
    return (
        f"Single predictions of the model ({model_of_spec(spec)}) were shared out among its features by "
        f"Shapley values of the log odds ({spec.get('explainer', 'explainer not named')}), each vertebra by "
        "the model of an outer fold that had not seen its patient; intervals of their mean size by "
        f"{_times(spec, 'n_boot', 'bootstrap sample')} of patients{_seed(spec)}."
    )


def _subgroups(spec: Mapping[str, Any]) -> str:
    by = [sentence_case(str(name)).lower() for name in spec.get("by", ())]
    least = f" with at least {number(spec['minimum'])} vertebrae of each class" if "minimum" in spec else ""
    return (
        "Discrimination was described within subgroups by "
        f"{listing(by) or 'the recorded variables'}{least}, without "
        "a test of interaction."
    )


def _external(spec: Mapping[str, Any]) -> str:
    cohorts = [str(name) for name in spec.get("cohorts", ())]
    threshold = f" of {number(spec['threshold'])}" if "threshold" in spec else ""
    return (
        f"The model was locked and applied to {listing(cohorts, 8) or 'other cohorts'} with its "
        f"threshold{threshold}, "
        "without any refitting. What a new intercept, or a new intercept and slope, would change was "
        "fitted and "
        "measured on the same cohort and is given beside it."
    )


def _leakage(spec: Mapping[str, Any]) -> str:
    return (
        "A leakage probe ran the whole pipeline on labels permuted between patients and on noise with "
        "the same "
        f"clustering, {_times(spec, 'n_probes', 'run')} each{_seed(spec)}; its verdict was "
        f'"{plain(spec.get("verdict"))}".'
    )


def _permutation(spec: Mapping[str, Any]) -> str:
    return (
        f"The whole pipeline was tested against {_times(spec, 'n_permutations', 'permutation')} of the "
        "labels "
        f"between patients{_seed(spec)}, p = (1 + b) / (1 + B)."
    )


def _control(_: Mapping[str, Any]) -> str:
    return (
        "As a negative control the same models were trained and tested on unfractured vertebrae of the "
        "patients."
    )


def _confounding(spec: Mapping[str, Any]) -> str:
    limit = plain(spec.get("significance", 0.05))
    return (
        "A confounding audit compared acquisition facts, covariates, level and site between the classes, "
        "tested "
        "whether missing values predict the class, and looked for features that mainly measure volume or "
        "slice "
        f"thickness and for patients under two names; flagged was what had an adjusted p below {limit}, or a "
        "Spearman correlation beyond ±0.8."
    )


def _sample_size(spec: Mapping[str, Any]) -> str:
    r2, source = spec.get("r2_cs"), spec.get("r2_source")
    assumed = f", assuming a Cox-Snell R² of {number(r2)} ({source})" if r2 and source else ""
    effect = f" and a design effect of {number(spec['design_effect'])}" if "design_effect" in spec else ""
    n = spec.get("candidate_parameters")
    candidates = f" for {count(n, 'candidate variable')}" if n else ""
    return f"The sample size was checked against the four criteria of Riley{candidates}{assumed}{effect}."


def _level(spec: Mapping[str, Any]) -> str:
    return f"{100 * float(spec.get('confidence', 0.95)):g} %"


def _times(spec: Mapping[str, Any], name: str, noun: str) -> str:
    return count(spec[name], noun) if name in spec else f"{noun}s"


def _seed(spec: Mapping[str, Any]) -> str:
    return f" (seed {number(spec['seed'])})" if "seed" in spec else ""


_WRITERS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "signs": _signs,
    "reliability": _reliability,
    "reliability_raters": _reliability,
    "reliability_sessions": _reliability,
    "adjusted": _adjusted,
    "comparison": _comparison,
    "optimism": _optimism,
    "explanation": _explanation,
    "shapley": _shapley,
    "subgroups": _subgroups,
    "external": _external,
    "leakage_probe": _leakage,
    "permutation": _permutation,
    "negative_control": _control,
    "confounding": _confounding,
    "sample_size_check": _sample_size,
}
