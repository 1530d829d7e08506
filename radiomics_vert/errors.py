"""The one way in which this package says that something is wrong.

A problem has five parts: a code that can be looked up, what was expected, what was found, where, and
how to mend it. Exceptions carry problems, failed cases are rows made from problems, and findings of
the checks share the same codes.

The numbers: RV1xx files and tables, RV2xx images and masks, RV3xx extraction, RV4xx dataset,
RV5xx statistics and models, RV6xx settings, RV7xx reports.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

CODES: dict[str, str] = {
    # files and tables
    "RV101": "File not found",
    "RV102": "Table cannot be read",
    "RV103": "Required column is missing",
    "RV104": "Row is duplicated",
    "RV105": "Value is missing",
    "RV106": "Level is unknown",
    "RV107": "Label scheme is unknown or missing",
    "RV108": "Mask holds no vertebra of its label scheme",
    "RV109": "Clinical row matches no vertebra",
    "RV110": "Vertebra has no clinical row",
    "RV111": "Labels contradict the label scheme",
    "RV112": "Table is empty",
    "RV113": "Text encoding cannot be read",
    "RV114": "Sequence has no parameter file",
    "RV115": "Label scheme file is not valid",
    "RV116": "Identifier cannot be used in file names",
    # images and masks
    "RV201": "Image and mask do not share one geometry",
    "RV202": "Image cannot be read",
    "RV203": "Image has the wrong number of dimensions",
    "RV204": "Image holds NaN or infinite values",
    "RV205": "Mask values are not whole numbers",
    "RV206": "Mask is empty",
    "RV207": "Label is absent from the mask",
    "RV208": "The same image or mask appears twice",
    "RV209": "Image file format is not supported",
    "RV210": "Voxel does not hold one real number",
    "RV211": "DICOM folder holds no series",
    "RV212": "DICOM series is not chosen clearly",
    "RV213": "DICOM series is not a volume",
    "RV214": "DICOM image has no place in space",
    "RV215": "Slices are missing",
    "RV216": "Slices are spaced unevenly",
    "RV217": "Slices are shifted against each other",
    "RV218": "Series holds several orientations",
    "RV219": "Several images lie at one position",
    "RV220": "Slices of one series differ in size",
    "RV221": "Series is a single slice",
    "RV222": "Stored values have no one linear scale",
    "RV223": "Acquisition sidecar cannot be read",
    "RV226": "Segmentation file is not valid",
    "RV227": "File of one segment holds several labels",
    "RV228": "Segment is named twice or its name is ambiguous",
    "RV229": "Mask belongs to another image",
    "RV230": "Outlines cannot be placed on the slices",
    "RV231": "Vertebrae overlap",
    "RV232": "Segment is no vertebra",
    "RV233": "Fractional mask is cut at a threshold",
    "RV234": "Outlines were moved or left out",
    "RV235": "Segment names contradict the label scheme",
    # extraction
    "RV301": "Region is too small for texture features",
    "RV302": "Region has one grey level",
    "RV303": "Parameter file is not valid",
    "RV304": "Feature computation failed",
    "RV305": "Too few or too many grey levels",
    "RV306": "Region touches the border of the image",
    "RV307": "Region falls apart into several components",
    "RV308": "Region is empty after resegmentation",
    "RV309": "Feature value is not finite",
    "RV311": "Reference tissue is missing",
    "RV312": "Vertebra holds too much hardware or cement",
    "RV313": "Bias field cannot be estimated",
    "RV314": "Another reference tissue was used",
    "RV315": "Hardware or cement was left out",
    "RV321": "Much of the region is left out",
    "RV322": "Cement or metal in the region",
    "RV323": "Volume is implausible",
    "RV324": "Distance to the next vertebra is implausible",
    "RV325": "CT is not in Hounsfield units",
    "RV326": "Scan is oblique",
    "RV327": "Slices are thick",
    "RV328": "Case lies far from the others",
    "RV329": "Levels do not follow each other",
    # signs
    "RV331": "Mask that the sign needs is missing",
    "RV332": "Sign is not defined on this sequence",
    "RV333": "No reference vertebra",
    "RV334": "Vertebra is not wholly inside the image",
    "RV335": "Vertebral frame cannot be trusted",
    "RV336": "Level has no vertebral body of the kind that is measured",
    "RV337": "Levels are unknown",
    "RV338": "Sign has no value for this vertebra",
    "RV339": "Image that the sign needs is missing",
    "RV341": "Sign registry is not valid",
    "RV342": "Sign computation failed",
    "RV343": "Sign value lies outside its range",
    "RV344": "Intensities are not of the kind that the sign needs",
    "RV345": "Voxels are too thick for the sign",
    "RV351": "Engine cannot compute what is asked for",
    # dataset
    "RV401": "Outcome column is unusable",
    "RV402": "Outcome has one class only",
    "RV403": "Row was dropped",
    "RV404": "Feature column is not numeric",
    "RV405": "Group column is unusable",
    "RV406": "Too few patients",
    "RV407": "Case appears more than once",
    "RV408": "No case can be measured",
    "RV409": "Column has two roles",
    "RV410": "Covariate mixes numbers and text",
    "RV411": "Every row has a patient of its own",
    "RV412": "Patient ids differ only in spelling",
    "RV413": "Variable of a subgroup is unknown",
    "RV414": "Missing values predict the class",
    "RV415": "One patient may be there under two ids",
    "RV416": "Value for a T-score is not usable",
    "RV417": "T-score does not apply",
    "RV418": "Patient has contradictory values",
    "RV419": "Covariate has no value",
    # statistics and models
    "RV501": "Split would separate vertebrae of one patient",
    "RV502": "Too few patients per class for the folds",
    "RV503": "Feature cannot be tested",
    "RV504": "Model did not converge",
    "RV505": "Fewer events than candidate parameters support",
    "RV506": "Harmonisation between sites is not possible",
    "RV507": "Site cannot be left out",
    "RV508": "Model is left without a feature",
    "RV510": "Model bundle was changed",
    "RV511": "Extraction parameters are not those of the model",
    "RV512": "Table lacks inputs of the model",
    "RV513": "External cohort shares patients with the development data",
    "RV514": "Shapley values cannot be computed",
    "RV515": "Intervals are optimistic with few patients",
    "RV520": "Site has one class only",
    # settings
    "RV601": "Unknown setting",
    "RV602": "Setting has the wrong value",
    "RV603": "Settings file cannot be read",
    "RV604": "Target exists already",
    "RV605": "Cluster cannot be used",
    "RV606": "Work ended its workers",
    # reports
    "RV701": "Result is missing from the study folder",
    "RV703": "Stages were run with different settings",
    "RV702": "Two results of one kind",
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, in the parts that a reader needs to mend it.

    Parameters
    ----------
    code : str
        A key of :data:`CODES`.
    expected, found : str
        What should have been there, and what was.
    where : str
        File, row, column, case: the place to look.
    remedy : str
        What the user can do about it.

    Examples
    --------
    >>> print(Problem("RV101", "an image file", "nothing", "images.csv, row 3", "correct the path"))
    RV101 File not found
      expected: an image file
      found:    nothing
      where:    images.csv, row 3
      remedy:   correct the path
    """

    code: str
    expected: str
    found: str
    where: str
    remedy: str

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise KeyError(f"code {self.code!r} is not listed in radiomics_vert.errors.CODES")

    @property
    def title(self) -> str:
        """The short name of the problem."""
        return CODES[self.code]

    def __str__(self) -> str:
        return (
            f"{self.code} {self.title}\n"
            f"  expected: {self.expected}\n"
            f"  found:    {self.found}\n"
            f"  where:    {self.where}\n"
            f"  remedy:   {self.remedy}"
        )

    def row(self) -> dict[str, str]:
        """Return the problem as a table row (`code`, `title`, `expected`, ...)."""
        return {"title": self.title, **asdict(self)}


class RadiomicsVertError(Exception):
    """Base of all errors that this package raises on purpose.

    Parameters
    ----------
    *problems : Problem
        One or more; a reader of a whole file reports all of them at once.
    """

    def __init__(self, *problems: Problem) -> None:
        if not problems:
            raise TypeError("an error needs at least one problem")
        self.problems: tuple[Problem, ...] = problems
        super().__init__("\n".join(str(problem) for problem in problems))

    def __reduce__(self) -> tuple[type[RadiomicsVertError], tuple[Problem, ...]]:
        # Exceptions cross process borders; the default would hand over the message only.
        return type(self), self.problems


class SettingsError(RadiomicsVertError):
    """A settings or parameter file is wrong (RV3xx parameters, RV6xx)."""


class TableError(RadiomicsVertError):
    """A table cannot be read or misses something (RV1xx)."""


class CohortError(RadiomicsVertError):
    """Manifest, clinical table or label scheme are wrong (RV1xx)."""


class ImageError(RadiomicsVertError):
    """An image or a mask cannot be used (RV2xx)."""


class ExtractionError(RadiomicsVertError):
    """Features of one case cannot be computed (RV3xx)."""


class DatasetError(RadiomicsVertError):
    """Features and labels do not make a dataset (RV4xx)."""


class AnalysisError(RadiomicsVertError):
    """A statistic or a model was asked for that would be wrong (RV5xx)."""


class ReportError(RadiomicsVertError):
    """A report cannot be built from what is there (RV7xx)."""


def raise_all(kind: type[RadiomicsVertError], problems: Iterable[Problem]) -> None:
    """Raise one error that carries all problems; do nothing when there are none."""
    collected = tuple(problems)
    if collected:
        raise kind(*collected)
