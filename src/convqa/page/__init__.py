"""The HTML report: what the scores of many conversations say, and the conversations behind them."""

from convqa.page.html import ReportPage

__all__ = ["ReportPage"]
