"""What there is to predict."""

from typing import Literal

Task = Literal["classification", "regression"]
