"""Initializations: separations on every scale, and all weights are trained."""

import pytest
import torch

from lib.errors import InputError
from lib.network.catalogue import parse_run
from lib.network.initialization import FINEST, get_initialization
from lib.network.networks import build

BODIES = torch.randn(16, 4, 6, generator=torch.Generator().manual_seed(0))


def initialized(name, seed=0):
    model = build(parse_run("spring-2d", "bottleneck", seed, "smoke"))
    get_initialization(name)(model)
    return model


def test_positions_and_velocities_do_not_matter_at_first():
    model = initialized("separations")
    elsewhere = BODIES.clone()
    elsewhere[..., :2] += 5.0
    elsewhere[..., 2:4] *= -3.0
    torch.testing.assert_close(model(elsewhere), model(BODIES), rtol=1e-3, atol=1e-4)
    closer = BODIES.clone()
    closer[..., :2] *= 0.9
    assert (model(closer) - model(BODIES)).abs().max() > 1e-3
    plain = initialized("uniform")
    assert (plain(elsewhere) - plain(BODIES)).abs().max() > 1e-3


def test_units_resolve_every_scale():
    usual, fine = (initialized(name).edge.first.weight.detach()[:, :2].abs().mean(dim=1) for name in ("uniform", "separations"))
    ratio = (fine / usual).sort().values
    assert 1 <= ratio[0] < 1.5 and 0.7 * FINEST < ratio[-1] <= FINEST
    # log-uniform: as many units in each octave
    assert abs(float(ratio.log().median()) - torch.log(torch.tensor(FINEST)).item() / 2) < 0.5


def test_a_seed_decides_the_weights_and_velocities_can_be_learned():
    one, two, other = initialized("separations"), initialized("separations"), initialized("separations", 1)
    torch.testing.assert_close(one.edge.first.weight, two.edge.first.weight, rtol=0, atol=0)
    assert not torch.equal(one.edge.first.weight, other.edge.first.weight)
    one(BODIES).square().sum().backward()
    assert one.edge.first.weight.grad[:, 2:4].abs().max() > 0 and one.node.first.weight.grad[:, :4].abs().max() > 0


def test_an_unknown_initialization_names_the_valid_ones():
    with pytest.raises(InputError, match="unknown initialization 'orthogonal': choose one of separations, uniform"):
        get_initialization("orthogonal")
