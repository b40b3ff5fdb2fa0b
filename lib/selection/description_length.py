"""Description length of a law with its constants and its misfit (Bartlett, Desmond and Ferreira, arXiv:2211.11461).

    L = -log likelihood + k log(n) + sum_i log(|c_i|) - p/2 log(3) + sum_i (1/2 log(I_ii) + log(|theta_i|))

with k nodes of n kinds, integers c, and p constants theta of Fisher information I. In nats.
"""

from __future__ import annotations

import math

import numpy as np
import sympy

from lib.selection.fitting import Fit


def of_structure(law_forms: list[sympy.Expr]) -> float:
    """Nats that say which formula it is: nodes by kind, and integers."""
    nodes = [node for form in law_forms if form != 0 for node in sympy.preorder_traversal(form)]
    kinds = {node.func if node.args else node for node in nodes if not node.is_number}
    integers = [node for node in nodes if node.is_Rational]
    # integers may be longer than NumPy's
    size = sum(math.log(max(abs(one.p), 1)) + math.log(one.q) for one in integers)
    return len(nodes) * float(np.log(max(len(kinds) + 1, 2))) + size


def of_constants(fit: Fit) -> float:
    """Nats that say the constants to the digits that the data give them; at least one bit each."""
    theta, information = np.abs(fit.constants), np.diag(fit.information)
    with np.errstate(divide="ignore"):
        each = np.log(np.maximum(theta, 1e-300)) + 0.5 * np.log(np.maximum(information, 1e-300) / 3)
    return float(np.maximum(each, np.log(2)).sum())


def description_length(fit: Fit) -> float:
    """Nats that say the law and what it leaves of its evidence."""
    return float(fit.misfit.sum()) + of_structure(fit.family.forms) + of_constants(fit)
