"""What an evaluation found, to be read by people and by programs: a page, tables, figures."""

from reidctl.report.folder import require_report, write_report
from reidctl.report.page import write_page
from reidctl.report.target import TargetReport, analyse_in_full, examine

__all__ = ["TargetReport", "analyse_in_full", "examine", "require_report", "write_page", "write_report"]
