"""A figure with its caption below, as a paper shows it."""

from __future__ import annotations

import matplotlib.pyplot as plt
from IPython.display import Markdown, display
from matplotlib.figure import Figure


def captioned(figure: Figure, number: int, sentence: str) -> None:
    """Show a figure and below it its number and what it says, in the order of the page."""
    display(figure)
    plt.close(figure)  # the notebook would show it once more at the end of the cell
    display(Markdown(f"**Figure {number}.** {sentence}"))
