"""What a study says about its patients for the signs of bone density."""

from __future__ import annotations

from radiomics_vert.cohort import read_clinical
from radiomics_vert.signs.norms import Tables, patient_tables, read_norm
from radiomics_vert.study.folder import Study


def sign_tables(study: Study) -> dict[str, Tables]:
    """Return calibration and norm by subject id, as `signs` in `study.yaml` sets them.

    Parameters
    ----------
    study : Study
        Its clinical table gives age and sex. Without both settings the result is empty.
    """
    chosen, settings = study.settings.signs, study.settings
    if chosen.calibration is None and chosen.norm is None:
        return {}
    calibration = None if chosen.calibration is None else chosen.calibration.model_dump()
    norm = () if chosen.norm is None else read_norm(study.folder / chosen.norm)
    clinical = read_clinical(study.folder / settings.cohort.clinical, study.secret())
    return patient_tables(clinical, calibration=calibration, norm=norm)
