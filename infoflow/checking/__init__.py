"""Checks: thresholds, baselines and accepted findings, from a report to passed or failed.

It reads reports only; nothing here analyses, reads a checkpoint or prints.
"""

from __future__ import annotations

from infoflow.checking.gate import check
from infoflow.checking.outcome import CheckResult, Row, Verdict
from infoflow.checking.settings import Settings, Suppression, Threshold

__all__ = ["CheckResult", "Row", "Settings", "Suppression", "Threshold", "Verdict", "check"]
