"""What a law is fitted to where accelerations were not measured: its averages over windows of a trajectory.

With a test function phi that vanishes at both ends of a window, integration by parts moves the derivatives off the data,

    integral phi'' x dt = integral phi a dt,  -integral phi' v dt = integral phi a dt,  -integral phi' x dt = integral phi v dt

(Messenger and Bortz, Multiscale Model. Simul. 19, 1474, 2021). Here phi is a B-spline series of the lowest degree on the
measured times themselves, so that the left sides are exact sums over the samples, however irregular: divided differences.
The right sides are averages of what a law says at the measured times, by interpolation of degree 7 between them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import norm

from lib.observed.batches import Batch, batches_of, interval_of
from lib.observed.derivatives import Smoothed, smooth
from lib.observed.noise import noise_of
from lib.observed.recording import Experiment, Recording
from lib.selection.law import Law
from lib.selection.motion import Motion

POWER = 2
"""phi(u) = (1 - u^2)^2 has the least noise among windows of a width, as a local fit of a parabola has."""
STENCIL, COARSE_STENCIL = 8, 6
"""Snapshots that interpolation between two of them uses; the difference to fewer is the error of the quadrature."""
GAUSS = 5
"""Points of Gauss and Legendre in each interval: exact for phi times the interpolating polynomial."""
LONGEST_GAP = 4.5
"""Median intervals; over longer gaps nothing is filled and no window reaches."""
WHOLE_ENOUGH = 0.1
"""If fewer of an experiment's snapshots are whole, bodies count as gone before their first row and after their last."""
NOTHING = 1e-6
"""Size of phi that is taken as zero."""
WIDTHS = (1, 2, 3, 4, 6, 8, 11, 16, 22, 32, 45, 64, 90, 128)
"""Half-widths of windows, in median intervals."""
QUIET = 1e-3
"""Noise of a row, in parts of the rows' spread, below which windows are wide enough."""
WIDEST = {1: 1 / 3, 2: 1.0}
"""Half-widths, in time scales of the motion, beyond which errors of the smoothed positions inside the law would weigh more
than a sixth of the noise, by the derivatives that phi takes."""
DRAWS = 4
"""Of errors of positions, to see what a law makes of them."""
SAMPLE = 8
"""Experiments that the width is chosen from, evenly among all."""


@dataclass(frozen=True)
class WeakRows:
    """Rows `average @ rates = target`, with `rates` [bodies, dim] what a law says of `motion`: `law.rates(motion)`.

    A row is one body's window; its neighbours overlap by half, and their noise is correlated by -0.4 or less.
    """

    motion: Motion
    """The whole snapshots, with smoothed positions and velocities."""
    average: sparse.csr_matrix
    """[rows, bodies]; rows sum to one."""
    coarse: sparse.csr_matrix
    """The same by interpolation of degree 5 instead of 7: the difference tells the error of the quadrature."""
    target: np.ndarray
    """[rows, dim]"""
    standard_deviation: np.ndarray
    """[rows], of a component of target less average: the noise of the target, and the error of the quadrature as the
    smoothed motion tells it. What a law makes of errors of the positions is left to `deviation`."""
    trajectory: np.ndarray
    """[rows]"""
    index: np.ndarray
    """[rows], which body of its trajectory."""
    time: np.ndarray
    """[rows], centres of the windows, on the experiments' clocks."""
    half_width: float
    """Of the windows."""
    noise: float
    """Standard deviation of the quantity that the targets are made of."""
    quantity: str
    """`position` or `velocity`, which that is."""
    position_noise: float
    """Standard deviation of a component of the measured positions."""
    position_error: np.ndarray
    """[bodies], standard error of a component of the smoothed positions."""
    velocity_error: np.ndarray
    """[bodies]"""

    def deviation(self, law: Law, ties: np.ndarray | None = None) -> np.ndarray:
        """Standard deviation of a component of target less average, [rows], with what a law makes of errors of positions.

        A good law's serves to compare all laws; each by its own would let poles explain themselves. Errors of a spline with a
        free constant every L times have standard error noise / sqrt(L), and are alike over L times.
        """
        rng = np.random.default_rng(0)
        rates = law.rates(self.motion, ties)
        spread = np.zeros(len(rates))
        for _ in range(DRAWS):
            moved = self.motion.position + self.position_error[:, None] * rng.standard_normal(rates.shape)
            spread += ((law.rates(replace(self.motion, position=moved), ties) - rates) ** 2).mean(1) / DRAWS
        with np.errstate(divide="ignore", invalid="ignore"):
            alike = np.where(self.position_error > 0, (self.position_noise / self.position_error) ** 2, 1.0)
        inside = self.average.multiply(self.average) @ (np.maximum(alike, 1.0) * np.nan_to_num(spread))
        quadrature = (((self.average - self.coarse) @ rates) ** 2).mean(1)
        return np.sqrt(self.standard_deviation**2 + inside + np.nan_to_num(quadrature))

    def take(self, chosen: np.ndarray) -> WeakRows:
        """Of the rows that are chosen [rows; bool], with all snapshots."""
        return replace(
            self,
            average=self.average[chosen],
            coarse=self.coarse[chosen],
            target=self.target[chosen],
            standard_deviation=self.standard_deviation[chosen],
            trajectory=self.trajectory[chosen],
            index=self.index[chosen],
            time=self.time[chosen],
        )


@dataclass(frozen=True)
class _Windows:
    """One body's windows."""

    phi: sparse.csr_matrix
    """[rows, knots]"""
    target: sparse.csr_matrix
    """[rows, times measured]"""
    centre: np.ndarray
    """[rows]"""
    low: np.ndarray
    """[rows], where phi begins.."""
    high: np.ndarray
    """.. and ends."""

    def take(self, rows: np.ndarray) -> _Windows:
        """Of some rows."""
        return _Windows(self.phi[rows], self.target[rows], self.centre[rows], self.low[rows], self.high[rows])


@dataclass(frozen=True)
class _Quadrature:
    """Integrals over a clock of what is known at some of its times."""

    points: np.ndarray
    """[points]"""
    fine: sparse.csr_matrix
    """[points, times known], interpolation times the weights of the points."""
    coarse: sparse.csr_matrix
    """The same by a lower degree."""


@dataclass(frozen=True)
class _Averages:
    """One body's windows, and the averages over the times known that they are compared with."""

    windows: _Windows
    fine: sparse.csr_matrix
    """[rows, times known]"""
    coarse: sparse.csr_matrix

    @cached_property
    def entries(self) -> tuple[sparse.coo_matrix, sparse.coo_matrix]:
        """Of fine and coarse."""
        return self.fine.tocoo(), self.coarse.tocoo()

    @cached_property
    def difference(self) -> sparse.csr_matrix:
        """Fine less coarse."""
        return self.fine - self.coarse

    @cached_property
    def factor(self) -> np.ndarray:
        """[rows], standard deviation of a target for noise of one."""
        return norm(self.windows.target, axis=1)


def _shapes(time: np.ndarray, half_width: float, derivatives: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """phi of each window at the measured times (two derivatives) or between them (one), [rows, knots], and the centres."""
    knots = time if derivatives == 2 else (time[1:] + time[:-1]) / 2
    inner = knots[1:-1] if derivatives == 2 else knots
    if not len(inner):
        return sparse.csr_matrix((0, len(knots))), np.empty(0)
    first, last = time[0] + half_width, time[-1] - half_width
    count = max(int((last - first) / half_width * (1 + 1e-9)) + 1, 1)
    ideal = np.linspace(first, last, count) if count > 1 else np.array([(time[0] + time[-1]) / 2])
    after = np.clip(np.searchsorted(inner, ideal), 1, max(len(inner) - 1, 1))
    near = np.stack([inner[after - 1], inner[np.minimum(after, len(inner) - 1)]])
    centre = np.unique(near[np.abs(near - ideal).argmin(0), np.arange(count)])
    low, high = np.searchsorted(inner, [centre - half_width, centre + half_width])
    sizes = high - low
    row = np.repeat(np.arange(len(centre)), sizes)
    knot = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes) + low[row]
    values = np.maximum(1 - ((inner[knot] - centre[row]) / half_width) ** 2, 0.0) ** POWER
    seen = values > NOTHING
    columns = knot[seen] + (derivatives == 2)
    return sparse.csr_matrix((values[seen], (row[seen], columns)), (len(centre), len(knots))), centre


def _differences(time: np.ndarray, derivatives: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """(-1)^k integral of the k-th derivative of each B-spline times x, [knots, times], and the B-splines' integrals."""
    gaps = np.diff(time)
    step = sparse.diags([-np.ones(len(gaps)), np.ones(len(gaps))], [0, 1], shape=(len(gaps), len(time)), format="csr")
    if derivatives == 1:
        return step, gaps
    slopes = sparse.diags(1 / gaps) @ step
    padded = np.concatenate([[0.0], gaps, [0.0]])
    return -(step.T @ slopes).tocsr(), (padded[1:] + padded[:-1]) / 2


def _interpolation(known: np.ndarray, at: np.ndarray, size: int) -> sparse.csr_matrix:
    """Values at times `at` by the polynomial through the `size` nearest known times around each, [at, known]."""
    size = min(size, len(known))
    cell = np.clip(np.searchsorted(known, at, side="right") - 1, 0, len(known) - 2)
    start = np.clip(cell + 1 - size // 2, 0, len(known) - size)
    columns = start[:, None] + np.arange(size)
    nodes = known[columns]
    others = nodes[:, :, None] - nodes[:, None, :]
    distances = at[:, None, None] - nodes[:, None, :] + np.zeros_like(others)
    same = np.arange(size)
    others[:, same, same] = distances[:, same, same] = 1.0
    weights = (distances / others).prod(2)
    return sparse.csr_matrix((weights.ravel(), (np.repeat(np.arange(len(at)), size), columns.ravel())), (len(at), len(known)))


def _at(phi: sparse.csr_matrix, time: np.ndarray, points: np.ndarray, derivatives: int) -> sparse.csr_matrix:
    """phi [rows, knots] evaluated at points, [rows, points]."""
    # beyond the ends phi is zero
    inside = np.flatnonzero((points > time[0]) & (points < time[-1]))
    cell = np.searchsorted(time, points[inside], side="right") - 1
    if derivatives == 1:
        return phi @ sparse.csr_matrix((np.ones(len(inside)), (cell, inside)), (len(time) - 1, len(points)))
    after = (points[inside] - time[cell]) / (time[cell + 1] - time[cell])
    rows, columns = np.concatenate([cell, cell + 1]), np.concatenate([inside, inside])
    return phi @ sparse.csr_matrix((np.concatenate([1 - after, after]), (rows, columns)), (len(time), len(points)))


def _quadrature(time: np.ndarray, known: np.ndarray) -> _Quadrature:
    nodes, weights = np.polynomial.legendre.leggauss(GAUSS)
    half = np.diff(time)[:, None] / 2
    points = ((time[1:] + time[:-1])[:, None] / 2 + half * nodes).ravel()
    weighted = sparse.diags((half * weights).ravel())
    return _Quadrature(
        points, *((weighted @ _interpolation(known, points, size)).tocsr() for size in (STENCIL, COARSE_STENCIL))
    )


def _windows(time: np.ndarray, half_width: float, derivatives: int) -> _Windows | None:
    """Windows of a body that was measured at these times; None if they are too few."""
    if len(time) <= derivatives:
        return None
    phi, centre = _shapes(time, half_width, derivatives)
    if not len(centre):
        return None
    operator, integrals = _differences(time, derivatives)
    phi = (sparse.diags(1 / (phi @ integrals)) @ phi).tocsr()
    phi.sort_indices()
    # the support reaches from the knot before the first that counts to the one after the last
    first, last = phi.indices[phi.indptr[:-1]], phi.indices[phi.indptr[1:] - 1]
    return _Windows(phi, (phi @ operator).tocsr(), centre, time[first - (derivatives == 2)], time[last + 1])


def _clear(windows: _Windows, clocks: Sequence[np.ndarray], longest: float) -> np.ndarray:
    """Which windows lie within each of the clocks, and over no interval of them that is longer than the longest, [rows]."""
    clear = np.ones(len(windows.centre), bool)
    for clock in clocks:
        clear &= (windows.low >= clock[0]) & (windows.high <= clock[-1])
        long = np.flatnonzero(np.diff(clock) > longest)
        for start, stop in zip(clock[long], clock[long + 1], strict=True):
            clear &= (windows.high <= start) | (windows.low >= stop)
    return clear


def _averaged(
    time: np.ndarray,
    measured: np.ndarray,
    known: np.ndarray,
    quadrature: _Quadrature | None,
    half_width: float,
    derivatives: int,
    longest: float,
) -> _Averages | None:
    """A body's windows with their averages over the times known, fine and coarse; None if there are none."""
    windows = _windows(time[measured], half_width, derivatives) if quadrature is not None else None
    if windows is None:
        return None
    windows = windows.take(_clear(windows, [time[measured], time[known]], longest))
    if not len(windows.centre):
        return None
    shapes = _at(windows.phi, time[measured], quadrature.points, derivatives)
    return _Averages(windows, (shapes @ quadrature.fine).tocsr(), (shapes @ quadrature.coarse).tocsr())


def _bridged(time: np.ndarray, measured: np.ndarray, longest: float) -> np.ndarray:
    """Which of a body's rows are measured, or stand in a gap that is short enough to be filled, [times; bool]."""
    rows = np.flatnonzero(measured)
    known = measured.copy()
    for a, b in itertools.pairwise(rows):
        known[a:b] |= time[b] - time[a] <= longest
    return known


def _known(time: np.ndarray, measured: np.ndarray, longest: float) -> np.ndarray:
    """Which bodies are known in each snapshot [times, n; bool]; all False where a body that is there is not known."""
    known = np.stack([_bridged(time, one, longest) for one in measured.T], axis=1)
    rows = np.arange(len(time))[:, None]
    seen = measured.any(0)
    whole = (known | ~seen).all(1)
    if whole.mean() < WHOLE_ENOUGH:
        there = seen & (rows >= measured.argmax(0)) & (rows < len(time) - measured[::-1].argmax(0))
        whole = (known | ~there).all(1)
    return known & whole[:, None]


def time_scale(smoothed: Sequence[Smoothed | None], order: int) -> float:
    """Time in which the rates change with the place: (rms of v / rms of the rates' change in time)^(1/order), less noise."""
    ways = [one for one in smoothed if one is not None and np.isfinite(one.errors).any()]
    if not ways:
        return float("inf")

    def power(name: str, row: int) -> float:
        values = np.concatenate([getattr(one, name).reshape(-1, one.value.shape[-1]) for one in ways])
        errors = np.concatenate([one.errors[row].ravel() for one in ways])
        # noise of higher derivatives is greatest at the ends, where the motion is no other than elsewhere
        clear = np.isfinite(errors)
        clear &= errors <= np.median(errors[clear])
        return max(float(np.mean(values[clear] ** 2) - np.mean(errors[clear] ** 2)), 0.0)

    speed, change = power("first", 1), power("third" if order == 2 else "second", 3 if order == 2 else 2)
    return float((speed / change) ** (0.5 / order)) if change > 0 else float("inf")


def _targets(batches: Sequence[Batch], half_width: float, derivatives: int) -> tuple[np.ndarray, np.ndarray]:
    """Targets of windows of this width, and their noise for noise of one."""
    targets, factors = [np.empty(0)], [np.empty(0)]
    for batch in batches:
        longest = LONGEST_GAP * interval_of(batch.time)
        for pattern in np.unique(batch.measured, axis=1).T:
            time = batch.time[pattern]
            windows = _windows(time, half_width, derivatives)
            if windows is None:
                continue
            windows = windows.take(_clear(windows, [time], longest))
            paths = batch.values[:, :, (batch.measured == pattern[:, None]).all(0)][:, pattern]
            paths = paths.transpose(1, 0, 2, 3).reshape(len(time), -1)
            targets.append((windows.target @ paths).ravel())
            factors.append(np.repeat(norm(windows.target, axis=1), paths.shape[1]))
    return np.concatenate(targets), np.concatenate(factors)


def half_width_of(batches: Sequence[Batch], noise: float, derivatives: int, scale: float) -> float:
    """The half-width of windows, from noise and smoothness.

    The least of `WIDTHS` at which the noise of a row is `QUIET` of the targets' spread; no wider than `WIDEST` time scales,
    where the errors of smoothed positions begin to count, nor than a third of the median duration.
    """
    step = float(np.median([interval_of(batch.time) for batch in batches]))
    duration = float(np.median([batch.time[-1] for batch in batches]))
    widest = min(WIDEST[derivatives] * scale, duration / 3)
    allowed = [step * width for width in WIDTHS if width <= max(widest / step * (1 + 1e-9), 2)]
    for half_width in allowed:
        targets, factors = _targets(batches, half_width, derivatives)
        if not len(targets):
            continue
        row = noise * float(np.median(factors))
        spread = 1.4826 * float(np.median(np.abs(targets - np.median(targets))))
        if row <= QUIET * np.sqrt(max(spread**2 - row**2, 0.0)):
            return half_width
    return allowed[-1]


def _together(one: Experiment) -> Experiment:
    """With a body's position and velocity both missing where one of them is."""
    if one.velocity is None:
        return one
    lost = ~(np.isfinite(one.position).all(2) & np.isfinite(one.velocity).all(2))[..., None]
    return replace(one, position=np.where(lost, np.nan, one.position), velocity=np.where(lost, np.nan, one.velocity))


def _noise(experiments: list[Experiment], quantity: str, box: np.ndarray | None) -> float:
    """Noise, no less than the rounding of double precision."""
    found = noise_of(experiments, quantity, box).standard_deviation
    sizes = [float(np.nanmax(np.abs(values), initial=0.0)) for values in (getattr(one, quantity) for one in experiments)]
    return float(np.fmax(found, np.finfo(float).eps * max(sizes)))


def weak_rows(recording: Recording, order: int = 2, half_width: float | None = None, reach: float = np.inf) -> WeakRows:
    """Rows of all experiments of a recording, for laws of accelerations (order 2) or of velocities (order 1).

    Fit a law by least squares, or a robust loss, of `(rows.target - rows.average @ law.rates(rows.motion)) /
    rows.standard_deviation[:, None]`. The targets are of velocities where they were measured and the order is 2, else of
    positions. `half_width` is chosen by `half_width_of` unless it is given. Snapshots in which a body is not known are left
    out, and windows that reach over gaps of more than `LONGEST_GAP` median intervals. In a box
    positions are continuous paths. `reach` is the distance beyond which the pairs of `motion` are left out. There are no
    rows where all experiments are too short.
    """
    experiments = [_together(one) for one in recording.experiments]
    velocities = order == 2 and all(one.velocity is not None for one in experiments)
    quantity, derivatives = ("velocity", 1) if velocities else ("position", order)
    noises = {name: _noise(experiments, name, recording.box) for name in {"position", quantity}}
    ways = smooth(experiments, noises["position"], box=recording.box)
    rates = smooth(experiments, noises["velocity"], "velocity") if velocities else ways
    if half_width is None:
        few = batches_of(experiments[:: -(-len(experiments) // SAMPLE)], quantity, recording.box)
        half_width = half_width_of(few, noises[quantity], derivatives, time_scale(ways, order))
    return _assembled(
        experiments, batches_of(experiments, quantity, recording.box), ways, rates, recording.box, noises, half_width,
        quantity, derivatives, order, reach,
    )  # fmt: skip


class _Columns:
    """Arrays by name, each put together of many."""

    def __init__(self) -> None:
        self._found: dict[str, list[np.ndarray]] = {}

    def add(self, **found: np.ndarray) -> None:
        """Some more of each."""
        for name, values in found.items():
            self._found.setdefault(name, []).append(values)

    def together(self) -> dict[str, np.ndarray]:
        """One array each."""
        return {name: np.concatenate(values) for name, values in self._found.items()}


def _operators(batch: Batch, known: np.ndarray, half_width: float, derivatives: int) -> list[_Averages | None]:
    """The windows of each body of a batch, with their averages over the snapshots where it is known."""
    longest = LONGEST_GAP * interval_of(batch.time)
    quadratures: dict[bytes, _Quadrature] = {}
    found: dict[tuple[bytes, bytes], _Averages | None] = {}
    keys = []
    for measured, mine in zip(batch.measured.T, known.T, strict=True):
        clock = mine.tobytes()
        keys.append((measured.tobytes(), clock))
        if keys[-1] in found:
            continue
        if clock not in quadratures and mine.sum() > 1:
            quadratures[clock] = _quadrature(batch.time, batch.time[mine])
        found[keys[-1]] = _averaged(batch.time, measured, mine, quadratures.get(clock), half_width, derivatives, longest)
    return [found[key] for key in keys]


def _assembled(
    experiments: list[Experiment],
    batches: list[Batch],
    ways: list[Smoothed | None],
    rates: list[Smoothed | None],
    box: np.ndarray | None,
    noises: dict[str, float],
    half_width: float,
    quantity: str,
    derivatives: int,
    order: int,
    reach: float,
) -> WeakRows:
    names = list(experiments[0].properties)
    columns, entries = _Columns(), _Columns()
    bodies = snapshots = rows = 0
    # velocities are what was measured, or the first derivative of what was
    own = int(quantity == "position")
    for batch in batches:
        known = _known(batch.time, batch.measured, LONGEST_GAP * interval_of(batch.time))
        place = np.full(known.shape, -1)
        place[known] = np.arange(known.sum())
        when, who = np.nonzero(known)
        snapshot = (np.cumsum(known.any(1)) - 1)[when]
        operators = _operators(batch, known, half_width, derivatives)
        if all(one is None for one in operators):
            continue
        for row, member in enumerate(batch.members):
            one, way, rate = experiments[member], ways[member], rates[member]
            columns.add(
                position=way.value[known],
                velocity=(rate.first if own else rate.value)[known],
                snapshot=snapshots + snapshot,
                index=who,
                trajectory=np.full(len(who), member),
                position_error=way.errors[0][known],
                velocity_error=rate.errors[own][known],
                **{f"property {name}": np.asarray(one.properties[name], float)[who] for name in names},
            )
            slope = rate.second if order == 2 and own else rate.first
            for body, operator in enumerate(operators):
                if operator is None:
                    continue
                measured, mine = batch.measured[:, body], known[:, body]
                fine, coarse = operator.entries
                quadrature = operator.difference @ slope[mine, body]
                count = len(operator.factor)
                entries.add(
                    target=operator.windows.target @ batch.values[row][measured, body],
                    standard_deviation=np.hypot(noises[quantity] * operator.factor, np.sqrt((quadrature**2).mean(1))),
                    trajectory=np.full(count, member),
                    index=np.full(count, body),
                    time=one.time[0] + operator.windows.centre,
                    fine=fine.data,
                    fine_row=rows + fine.row,
                    fine_column=bodies + place[mine, body][fine.col],
                    coarse=coarse.data,
                    coarse_row=rows + coarse.row,
                    coarse_column=bodies + place[mine, body][coarse.col],
                )
                rows += count
            bodies += len(who)
            snapshots += int(snapshot[-1]) + 1
    if not rows:
        return _no_rows(experiments[0].position.shape[2], names, box, reach, half_width, noises, quantity)
    bodies_of, rows_of = columns.together(), entries.together()
    motion = Motion(
        bodies_of["position"],
        bodies_of["velocity"],
        {name: bodies_of[f"property {name}"] for name in names},
        bodies_of["snapshot"],
        bodies_of["index"],
        bodies_of["trajectory"],
        box,
        reach,
    )
    return WeakRows(
        motion,
        sparse.csr_matrix((rows_of["fine"], (rows_of["fine_row"], rows_of["fine_column"])), (rows, bodies)),
        sparse.csr_matrix((rows_of["coarse"], (rows_of["coarse_row"], rows_of["coarse_column"])), (rows, bodies)),
        rows_of["target"],
        rows_of["standard_deviation"],
        rows_of["trajectory"],
        rows_of["index"],
        rows_of["time"],
        half_width,
        noises[quantity],
        quantity,
        noises["position"],
        bodies_of["position_error"],
        bodies_of["velocity_error"],
    )


def _no_rows(
    dim: int, names: list[str], box: np.ndarray | None, reach: float, half_width: float, noises: dict[str, float], quantity: str
) -> WeakRows:
    vectors, numbers, none = np.empty((0, dim)), np.empty(0), np.empty(0, int)
    motion = Motion(vectors, vectors, dict.fromkeys(names, numbers), none, none, none, box, reach)
    nothing = sparse.csr_matrix((0, 0))
    return WeakRows(
        motion, nothing, nothing, vectors, numbers, none, none, numbers, half_width, noises[quantity], quantity,
        noises["position"], numbers, numbers,
    )  # fmt: skip
