"""The panel's tables and images, and how to score on them."""

from collections.abc import Mapping

from benchmarks.sets.images import IMAGES, PanelImages
from benchmarks.sets.tables import PANEL, PanelTable

SETS: Mapping[str, PanelTable | PanelImages] = {**PANEL, **IMAGES}

__all__ = ["SETS"]
