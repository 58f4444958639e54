"""Example data that come with the package: paths only."""

from pathlib import Path

GAZETTE_THEMES = Path(__file__).with_name("gazette_themes.json")
"""One theme with three subthemes, as a deployment of gazettes is given them."""
