"""Harmonisation between sites inside the pipeline: ComBat, fitted in the training rows only."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from radiomics_vert.dataset.covariates import covariate_columns
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.phrases import did_you_mean

FloatArray = NDArray[np.float64]
SiteArray = NDArray[np.object_]
UnseenSite = Literal["reference", "refuse"]

MIN_SITE_ROWS = 2
"""Training rows that a site needs: below two it has no variance to estimate."""


class SiteHarmoniser(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """ComBat between sites, with covariates that it must not remove and a rule for unknown sites.

    Location and scale of every feature at every site are estimated in the training rows, shrunk by
    parametric empirical Bayes and removed. The outcome takes no part: `y` is ignored, and the
    covariates are checked by :func:`harmonisation_columns`. The engine is combatlearn 2.3 with its
    method `fortin`; it takes the prior of a feature from its estimates over the sites, where the
    sources below take the prior of a site from its estimates over the features. With few rows the engine
    removes more of the location and less of the scale: where one site has twice the SD of another, a
    ratio of 1.20 is left with 20 and 40 rows (by the sources 1.03), of 1.04 with 100 and 200. Features
    are standardised by the training rows before and brought back to their units after, because the
    engine adds a fixed 1e-8 to variances. What the engine estimates is kept as plain arrays and applied
    by this class, so that a fitted model can be stored, and used where the engine is not installed.

    Limits: a site needs two training rows (below that it counts as unknown), two sites must have them
    (otherwise nothing is changed), and with few rows per site the estimates are mostly prior. Where
    site and outcome go together, ComBat removes part of the difference between the classes: look at
    the confounding audit before using it.

    Parameters
    ----------
    unseen : {"reference", "refuse"}, default "reference"
        Rows of a site that the training rows do not know. `reference`: their features stay as they
        are, and the scaling that follows uses mean and SD of the pooled, harmonised training rows;
        nothing is learned from the new rows. `refuse`: an error.
    n_protected : int, default 0
        The first columns, so many, are left alone (covariates of the model).

    Attributes
    ----------
    sites_ : tuple of str
        Sites with an estimate, sorted; empty when nothing is changed.
    mean_, scale_ : ndarray, shape (p,)
        By which features are standardised.
    level_, spread_ : ndarray, shape (p,)
        Grand mean and pooled SD of the standardised features.
    slopes_ : ndarray, shape (q, p)
        Of the covariates that stay.
    shift_, stretch_ : ndarray, shape (sites, p)
        Location and SD of each site in units of `spread_`, shrunk; they are removed.

    References
    ----------
    Johnson WE, Li C, Rabinovic A (2007). Adjusting batch effects in microarray expression data using
    empirical Bayes methods. Biostatistics 8:118-127. doi:10.1093/biostatistics/kxj037
    Fortin JP et al. (2018). Harmonization of cortical thickness measurements across scanners and sites.
    NeuroImage 167:104-120. doi:10.1016/j.neuroimage.2017.11.024
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"sites": True, "site_covariates": True}
    __metadata_request__transform: ClassVar[dict[str, bool]] = {"sites": True, "site_covariates": True}

    def __init__(self, unseen: UnseenSite = "reference", n_protected: int = 0) -> None:
        self.unseen = unseen
        self.n_protected = n_protected

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        sites: ArrayLike | None = None,
        site_covariates: ArrayLike | None = None,
    ) -> Self:
        """Estimate what the sites do to the features.

        Parameters
        ----------
        X : array-like, shape (n, p)
            Training rows without missing values.
        y : ignored
        sites : array-like of str, shape (n,)
            The site of each row.
        site_covariates : array-like, shape (n, q), optional
            Differences that must stay; a missing value becomes the median of the training rows.

        Raises
        ------
        AnalysisError
            RV105 without sites.
        """
        values = validate_data(self, X, dtype=np.float64)[:, self.n_protected :]
        names = _require_sites(sites, len(values))
        counts = pd.Series(names).value_counts()
        known = tuple(sorted(counts.index[counts >= MIN_SITE_ROWS]))
        self.sites_ = known if len(known) >= 2 and values.shape[1] else ()
        self.mean_, spread = values.mean(axis=0), values.std(axis=0)
        self.scale_ = np.where(spread > 0, spread, 1.0)
        covariates = _as_columns(site_covariates, len(values))
        self.covariate_fill_ = np.nanmedian(covariates, axis=0)
        if self.sites_:
            rows = np.isin(names, self.sites_)
            self._learn(self._standardised(values[rows]), names[rows], self._filled(covariates[rows]))
        return self

    def _learn(self, values: FloatArray, sites: SiteArray, covariates: FloatArray) -> None:
        engine = _engine(sites, covariates)
        engine.fit(pd.DataFrame(values))
        learned = engine._model
        if tuple(map(str, learned._batch_levels)) != self.sites_:
            raise RuntimeError("combatlearn orders the sites otherwise than this class expects")
        self.level_ = np.asarray(learned._grand_mean, dtype=np.float64)
        self.spread_ = np.sqrt(np.asarray(learned._pooled_var, dtype=np.float64))
        self.slopes_ = np.asarray(learned._beta_hat_nonbatch, dtype=np.float64)
        self.shift_ = np.asarray(learned._gamma_star, dtype=np.float64)
        self.stretch_ = np.sqrt(np.asarray(learned._delta_star, dtype=np.float64))

    def transform(
        self, X: ArrayLike, sites: ArrayLike | None = None, site_covariates: ArrayLike | None = None
    ) -> FloatArray:
        """Remove what the sites do to the features.

        Parameters
        ----------
        X : array-like, shape (n, p)
            Rows without missing values.
        sites : array-like of str, shape (n,)
            The site of each row.
        site_covariates : array-like, shape (n, q), optional
            As in `fit`.

        Returns
        -------
        ndarray, shape (n, p)

        Raises
        ------
        AnalysisError
            RV506 for an unknown site under the rule `refuse`.
        """
        check_is_fitted(self, "sites_")
        out = np.array(validate_data(self, X, dtype=np.float64, reset=False))
        names = _require_sites(sites, len(out))
        rows = np.isin(names, self.sites_)
        if self.unseen == "refuse" and not rows.all():
            raise AnalysisError(_unknown_site(np.unique(names[~rows]), self.sites_))
        if rows.any():
            covariates = self._filled(_as_columns(site_covariates, len(out))[rows])
            site = np.searchsorted(np.array(self.sites_, dtype=object), names[rows])
            expected = self.level_ + covariates @ self.slopes_
            units = (self._standardised(out[rows, self.n_protected :]) - expected) / self.spread_
            harmonised = (units - self.shift_[site]) / self.stretch_[site] * self.spread_ + expected
            out[rows, self.n_protected :] = harmonised * self.scale_ + self.mean_
        return out

    def fit_transform(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        sites: ArrayLike | None = None,
        site_covariates: ArrayLike | None = None,
    ) -> FloatArray:
        """Fit, then transform the same rows; see there."""
        return self.fit(X, y, sites, site_covariates).transform(X, sites, site_covariates)

    def _standardised(self, values: FloatArray) -> FloatArray:
        return np.asarray((values - self.mean_) / self.scale_)

    def _filled(self, covariates: FloatArray) -> FloatArray:
        return np.where(np.isnan(covariates), self.covariate_fill_, covariates)


def harmonisation_columns(dataset: Dataset, covariates: Sequence[str]) -> tuple[SiteArray, FloatArray]:
    """Return the site of each row and the covariates that harmonisation must not remove.

    Parameters
    ----------
    dataset : Dataset
        With `site` in `info`.
    covariates : sequence of str
        Columns of `dataset.covariates`, never the outcome.

    Returns
    -------
    sites : ndarray of str, shape (n,)
    covariates : ndarray, shape (n, q)
        As numbers, see :func:`~radiomics_vert.dataset.covariates.covariate_columns`.

    Raises
    ------
    AnalysisError
        RV506 when a covariate is the outcome, by name or by its values, or there is one site only.
        RV103 for an unknown covariate. RV105 for a vertebra without a site.
    """
    for name in covariates:
        if name == dataset.outcome or (name in dataset.covariates and _is_outcome(dataset, name)):
            raise AnalysisError(_outcome_refused(name, dataset.outcome))
        if name not in dataset.covariates:
            raise AnalysisError(_unknown_covariate(name, dataset))
    sites = dataset_sites(dataset)
    if len(np.unique(sites)) < 2:
        raise AnalysisError(
            Problem(
                "RV506",
                "at least two sites to harmonise between",
                f"one site, {sites[0]!r}",
                "column site of the dataset",
                "leave harmonisation out",
            )
        )
    return sites, covariate_columns(dataset.covariates[list(covariates)]).to_numpy(dtype=np.float64)


def dataset_sites(dataset: Dataset) -> SiteArray:
    """Return the site of each vertebra.

    Raises
    ------
    AnalysisError
        RV105 when a vertebra has none.
    """
    info = dataset.info
    sites = info["site"] if "site" in info.columns else pd.Series("", index=info.index)
    missing = sites.isna() | (sites.astype("string").fillna("").str.strip() == "")
    if missing.any():
        raise AnalysisError(
            Problem(
                "RV105",
                "the site of every vertebra",
                f"{int(missing.sum())} of {len(missing)} vertebrae without one",
                f"column site, for example unit {info.index[missing.to_numpy()][0]}",
                "fill in the column site of the image table, or do not use sites",
            )
        )
    return sites.astype(str).to_numpy(dtype=object)


def require_engine() -> None:
    """Refuse to harmonise when the package that does it is not installed.

    Raises
    ------
    AnalysisError
        RV506.
    """
    if find_spec("combatlearn") is None:
        remedy = "pip install 'radiomics-vert[harmonisation]', or leave harmonisation out"
        missing = Problem("RV506", "the package combatlearn", "it is not installed", "harmonise", remedy)
        raise AnalysisError(missing)


def _engine(sites: SiteArray, covariates: FloatArray) -> Any:
    require_engine()
    # Imported here: it takes seconds to load and most studies have one site.
    from combatlearn import ComBat

    # Covariates always as numbers: the engine would code categories by those of the rows at hand.
    columns = pd.DataFrame(covariates) if covariates.shape[1] else None
    return ComBat(pd.Series(sites), continuous_covariates=columns, method="fortin")


def _as_columns(covariates: ArrayLike | None, n: int) -> FloatArray:
    return np.empty((n, 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)


def _require_sites(sites: ArrayLike | None, n: int) -> SiteArray:
    if sites is None:
        raise AnalysisError(
            Problem(
                "RV105",
                "the site of each row",
                f"{n} rows without one",
                "harmonisation between sites",
                "pass sites (fit_pipeline and predict_pipeline do)",
            )
        )
    return np.asarray(sites, dtype=object)


def _is_outcome(dataset: Dataset, name: str) -> bool:
    """Tell whether a column says the same as the outcome, in other words."""
    pairs = pd.DataFrame({"column": dataset.covariates[name].astype(str), "y": dataset.y}).drop_duplicates()
    return len(pairs) == 2 and pairs["column"].nunique() == 2


def _outcome_refused(name: str, outcome: str) -> Problem:
    return Problem(
        "RV506",
        "covariates that are known for a new patient, such as age or sex",
        f"{name!r}, which is the outcome" + ("" if name == outcome else f" {outcome!r} in other words"),
        "covariates of harmonisation",
        "leave it out: ComBat would preserve the difference between the labelled classes in the training "
        "rows, and the outcome of a new patient is not known",
    )


def _unknown_covariate(name: str, dataset: Dataset) -> Problem:
    return Problem(
        "RV103",
        f"one of the covariates: {', '.join(map(str, dataset.covariates.columns)) or 'none in this study'}",
        repr(name),
        "covariates of harmonisation",
        did_you_mean(name, dataset.covariates.columns)
        or "correct the name, or add the column to the covariates of the study",
    )


def _unknown_site(unknown: SiteArray, known: Sequence[str]) -> Problem:
    return Problem(
        "RV506",
        f"sites with at least {MIN_SITE_ROWS} training rows: {', '.join(known) or 'none'}",
        ", ".join(map(str, unknown)),
        "harmonisation between sites, rows to transform",
        "use the rule 'reference' for unknown sites, or leave harmonisation out",
    )
