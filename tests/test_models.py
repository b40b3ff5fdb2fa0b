"""The graph network: against explicit loops, its symmetries, and what each variant promises."""

import numpy as np
import pytest
import torch

from lib.errors import InputError
from lib.network.models import GraphNetwork, drawn
from lib.network.networks import NETWORKS
from lib.network.variants import FURTHER, VARIANTS, Variant, get_variant, kl, l1, spread_of_further_channels
from lib.physics.laws import get_law

DIM, BODIES = 2, 4


def network(variant: Variant, pairs=None) -> GraphNetwork:
    torch.manual_seed(0)
    return NETWORKS[variant.network](get_law("spring").pairs(BODIES) if pairs is None else pairs, DIM, variant)


def random_bodies(graphs: int = 5) -> torch.Tensor:
    return torch.randn(graphs, BODIES, 2 * DIM + 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("law", ["spring", "string"])
def test_batches_agree_with_explicit_loops(variant, law):
    pairs = get_law(law).pairs(BODIES)
    model, bodies = network(variant, pairs), random_bodies(2)
    neighbours = {k: [j for a, b in pairs.tolist() for i, j in ((a, b), (b, a)) if i == k] for k in range(BODIES)}

    def edge(receiver, sender):
        out = model.edge(torch.cat([receiver, sender]))
        return out[: model.width]

    for graph, found in zip(bodies, model(bodies), strict=True):
        for i in range(BODIES):
            total = torch.zeros(model.width)
            for j in neighbours[i]:
                total += edge(graph[i], graph[j]) - (edge(graph[j], graph[i]) if variant.antisymmetric else 0)
            torch.testing.assert_close(found[i], model.node(torch.cat([graph[i], total])), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", (VARIANTS | FURTHER).values(), ids=VARIANTS | FURTHER)
def test_renaming_bodies_renames_accelerations(variant):
    model, bodies = network(variant), random_bodies()
    order = [2, 0, 3, 1]
    torch.testing.assert_close(model(bodies)[:, order], model(bodies[:, order]), rtol=1e-4, atol=1e-5)


def test_reciprocal_messages_are_opposite_and_others_are_not():
    for name, variant in VARIANTS.items():
        model = network(variant)
        messages, _ = model.messages(random_bodies())
        opposite = torch.allclose(messages, -messages[:, model.opposite], atol=1e-6)
        assert opposite == variant.antisymmetric, name


def test_pruning_keeps_the_channels_that_vary_most():
    model, bodies = network(get_variant("pruning")), random_bodies(50)
    spread = model.messages(bodies)[0].flatten(0, 1).std(0)
    model.prune(bodies, 7)
    assert set(model.kept.nonzero().flatten().tolist()) == set(spread.topk(7).indices.tolist())
    assert int((model.messages(bodies)[0].flatten(0, 1).std(0) > 0).sum()) == 7


@pytest.mark.parametrize("shape", ["", "-linear", "-exponential"])
@pytest.mark.parametrize("end", [65, 75, 85])
def test_pruning_schedules_end_at_the_dimension_when_they_say(shape, end):
    schedule = get_variant(f"pruning{shape}" + (f"-{end}" if end != 65 else "")).schedule
    kept = [schedule(p, 100, 3) for p in np.linspace(0, 1, 101)]
    assert kept[0] == 100 and kept[end] == kept[-1] == 3 and kept[end - 15] > 3
    assert sorted(kept, reverse=True) == kept


def test_pruning_shapes_differ_as_their_names_say():
    cosine, linear, exponential = (get_variant(f"pruning{shape}").schedule for shape in ("", "-linear", "-exponential"))
    progress = np.linspace(0.05, 0.6, 12)
    steps = np.diff([[shape(p, 1000, 2) for p in progress] for shape in (cosine, linear, exponential)])
    assert abs(steps[0, 5]) > 2 * abs(steps[0, 0]) and abs(steps[0, 5]) > 2 * abs(steps[0, -1])
    assert np.ptp(steps[1]) <= 1
    assert (np.diff(np.abs(steps[2])) <= 0).all() and abs(steps[2, 0]) > 10 * abs(steps[2, -1])


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_can_be_made_reciprocal(name):
    model = network(get_variant(f"{name}-reciprocal"))
    messages, log_variance = model.messages(random_bodies())
    torch.testing.assert_close(messages, -messages[:, model.opposite])
    if log_variance is not None:
        torch.testing.assert_close(log_variance, log_variance[:, model.opposite])


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("l2", f"unknown variant 'l2': choose one of {', '.join(VARIANTS | FURTHER)}"),
        ("l1-loud", "unknown switch 'loud': choose one of reciprocal, exponential, linear, 75, 85"),
        ("l1-linear", "'linear' is a way of pruning: write it after pruning, as pruning-linear"),
    ],
)
def test_unknown_variants_end_in_one_line(name, line):
    with pytest.raises(InputError) as raised:
        get_variant(name)
    assert str(raised.value) == line


def test_regularizers_are_those_of_the_formulae():
    mean = torch.tensor([[[1.0, -2.0], [0.0, 3.0]]])
    log_variance = torch.log(torch.tensor([[[1.0, 4.0], [1.0, 1.0]]]))
    assert l1(mean, None, 1).item() == pytest.approx(1e-2 * (3 + 3) / 2)
    assert spread_of_further_channels(mean, None, 1).item() == pytest.approx(1e-1 * np.std([-2, 3], ddof=1))
    normal = torch.distributions.Normal(mean, (log_variance / 2).exp())
    divergence = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum(-1).mean()
    assert kl(mean, log_variance, 1).item() == pytest.approx(divergence.item(), rel=1e-6)


def test_ablations_have_the_layers_they_say():
    layers = [layer for layer in network(get_variant("plus_minus")).edge.modules() if isinstance(layer, torch.nn.Linear)]
    assert sorted(layer.out_features for layer in layers) == [100, 300, 300, 450, 450, 600]
    custom = network(get_variant("custom")).edge
    units = custom.hidden[0](custom.first(torch.randn(3, 4 * DIM + 4)))
    features = custom.hidden[1](units)
    torch.testing.assert_close(features, torch.cat([units, 1 / (1 + units), 1 / (1 + units) ** 2], dim=-1))
    assert custom.hidden[2].in_features == features.shape[-1]


@pytest.mark.parametrize("law", ["spring", "string"])
def test_drawn_messages_of_a_pair_are_opposite(law):
    model, bodies = network(get_variant("kl-reciprocal"), get_law(law).pairs(BODIES)), random_bodies()
    (mean, log_variance), noise = model.messages(bodies), model.noise(bodies, torch.Generator().manual_seed(2))
    sent = drawn(mean, log_variance, noise)
    assert torch.equal(sent, -sent[:, model.opposite]) and torch.equal(log_variance, log_variance[:, model.opposite])
    assert not torch.allclose(sent, mean) and noise.std().item() == pytest.approx(1, abs=0.05)


def test_gaussian_messages_are_drawn_in_training_and_mean_at_test():
    model, bodies = network(get_variant("kl")), random_bodies()
    noise = model.noise(bodies, torch.Generator().manual_seed(2))
    assert noise.shape == (5, 12, 100) and not torch.allclose(noise, -noise[:, model.opposite])
    drawn, _ = model.penalized(bodies, noise)
    assert not torch.allclose(drawn, model(bodies))
    torch.testing.assert_close(model.penalized(bodies, torch.zeros_like(noise))[0], model(bodies))
