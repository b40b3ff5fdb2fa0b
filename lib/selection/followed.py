"""A law followed through measured positions, and what it leaves of them."""

from __future__ import annotations

from dataclasses import dataclass

from lib.selection.fitting import Fit

STRAYS = 2.0
"""Times the noise that a law leaves of positions that it does not follow ..."""
NEARLY_EXACT = 1e-3
"""... and more than so small a part of what straight lines leave."""
DECIDES = 2.0
"""Times the loss of a law that straight lines must have where positions tell laws apart."""


@dataclass(frozen=True)
class Followed:
    """A law fitted to measured positions."""

    fit: Fit
    """In standard deviations of what the best of the compared laws leaves."""
    scale: float
    """What it leaves, in parts of the noise of positions."""
    free: float
    """The same of straight lines, each body alone."""
    lost: float
    """The loss of straight lines, in parts of the law's; most of it may be in a few encounters, which `free` does not see."""
    precise: Fit | None = None
    """With constants fitted to the end, on longer stretches where these are followed too."""

    @property
    def follows(self) -> bool:
        """Whether it leaves little more than noise, where no law at all leaves much more."""
        return not self.strays and self.lost > DECIDES

    @property
    def strays(self) -> bool:
        """Whether it leaves more than noise."""
        return self.scale > max(STRAYS, NEARLY_EXACT * self.free)

    @property
    def decides(self) -> bool:
        """Whether these stretches tell laws apart: it follows them or strays, where straight lines do much worse."""
        return self.follows or self.strays

    @property
    def told(self) -> Fit:
        """The fit that tells constants."""
        return self.precise or self.fit
