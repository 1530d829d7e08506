"""Radiomics of vertebral fractures: extraction and patient-clustered statistics.

Research software, not a diagnostic device. Public names are loaded when they are first used, so that
`import radiomics_vert` and worker processes start quickly.

Examples
--------
A study in a few lines (see the README for the files)::

    import radiomics_vert as rv

    cohort = rv.read_cohort("images.csv", clinical="clinical.csv", scheme="totalsegmentator")
    findings = rv.check_cohort(cohort)
    features = rv.extract(cohort, rv.builtin_params("ct"), n_jobs=2)
    dataset = rv.merge(features, cohort.clinical, outcome="diagnosis", positive="metastatic")
    assoc = rv.associate(dataset)
    model = rv.cross_validate(dataset, rv.ModelSpec("elastic_net"))
    rv.write_report(rv.build_report([findings, assoc, model]), "reports/mine")

A model that leaves the study, and meets another hospital::

    rv.save_bundle(rv.fit_final(dataset, rv.ModelSpec("elastic_net")), Path("model"))
    locked = rv.load_bundle(Path("model"))
    elsewhere = rv.read_dataset("north.csv", outcome="diagnosis", positive="metastatic", group="patient")
    print(rv.validate_external(locked, {"north": elsewhere}).frame())
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
