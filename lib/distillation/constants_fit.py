"""Constants of a closed form, fitted to true accelerations; those that change nothing are set to zero."""

from __future__ import annotations

import jax
import numpy as np
from scipy.optimize import minimize_scalar

from lib.distillation.closed_form import Arrangement, ClosedForm, relative_error
from lib.distillation.digits import fewest_digits
from lib.distillation.refit import fit_constants

MAX_ERROR_GROWTH = 1.01
"""A constant is set to zero or shortened if the error grows at most so many times."""
NEGLIGIBLE = 1e-6
"""Relative error that is none."""
SHIFT = 0.03
"""Part of itself by which a threshold is moved at most."""
ROBUST = 0.01
"""Relative error at which a residual begins to count by its size instead of its square."""


class ConstantsFit:
    """The constants of one form, in the order of its `function`, against true accelerations."""

    def __init__(self, form: ClosedForm, bodies: np.ndarray, accelerations: np.ndarray) -> None:
        """Of bodies [graphs, n, 2*dim+2] and their accelerations [graphs, n, dim]."""
        function, self.start = form.function
        self.form, self.thresholds, self.true = form, form.thresholds, accelerations
        arranged = Arrangement.of(form.system, bodies)
        weight = 1 / (1 + np.linalg.norm(accelerations, axis=-1, keepdims=True))
        self.predict = lambda constants: np.asarray(function(constants, arranged))
        residual = jax.jit(lambda constants: ((function(constants, arranged) - accelerations) * weight).ravel())
        self.residual = lambda constants: np.asarray(residual(constants))
        jacobian = jax.jit(jax.jacfwd(residual))
        self.jacobian = lambda constants: np.asarray(jacobian(constants))

    def error(self, constants: np.ndarray) -> float:
        """Relative error."""
        return relative_error(self.predict(constants), self.true)

    def limit(self, constants: np.ndarray) -> float:
        """Error up to which other constants count as good as these."""
        return max(MAX_ERROR_GROWTH * self.error(constants), NEGLIGIBLE)

    def refine(self, start: np.ndarray, free: np.ndarray) -> np.ndarray:
        """Constants with the smallest robust relative error; those not `free` [constants] stay as they start."""
        found = self._descend(start, free & ~self.thresholds)
        if not (moving := np.flatnonzero(free & self.thresholds & (start != 0))).size:
            return found
        for index in moving:
            found = self._move_threshold(found, index)
        return self._descend(found, free & ~self.thresholds)

    def _descend(self, start: np.ndarray, free: np.ndarray) -> np.ndarray:
        return fit_constants(self.residual, start, free, ROBUST, self.jacobian)

    def _move_threshold(self, start: np.ndarray, index: int) -> np.ndarray:
        """A threshold moved to where the error is least: a search, as the error has no slope in it."""

        def moved(at: float) -> np.ndarray:
            constants = start.copy()
            constants[index] = at
            return constants

        reach = sorted(start[index] * np.array([1 - SHIFT, 1 + SHIFT]))
        found = minimize_scalar(lambda at: self.error(moved(at)), bounds=reach, options={"xatol": NEGLIGIBLE})
        least = min(start[index], found.x, key=lambda at: self.error(moved(at)))
        # graphs between two edges cannot tell one distance from another: the shortest number does
        best = self.error(moved(least))
        return moved(fewest_digits(np.array([least]), lambda at: self.error(moved(at[0])) <= best)[0])

    def prune(self, constants: np.ndarray) -> np.ndarray:
        """The constants with as many set to zero, the rest refined, as the error does not notice."""
        free, limit = constants != 0, self.limit(constants)
        for index in np.argsort(np.abs(constants)):
            if not free[index]:
                continue
            fewer = free.copy()
            fewer[index] = False
            trial = self.refine(np.where(fewer, constants, 0.0), fewer)
            if self.error(trial) <= limit:
                constants, free = trial, fewer
        return constants

    def shortened(self, constants: np.ndarray) -> ClosedForm:
        """The form with the fewest digits in its constants that its error does not notice."""
        limit = self.limit(constants)
        return self.form.with_constants(fewest_digits(constants, lambda values: self.error(values) <= limit))
