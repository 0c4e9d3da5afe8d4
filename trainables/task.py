"""The two kinds of prediction task."""

from typing import Literal

Task = Literal["classification", "regression"]
