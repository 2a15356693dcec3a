"""The parts of the study of estimators: see ``benchmarks/estimator_study.py``."""
