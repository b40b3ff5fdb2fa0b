"""Colours: one for each variant, and none of them for anything else."""

from matplotlib.colors import to_rgb

from lib.network.variants import FURTHER, VARIANTS
from lib.report import palette


def test_a_colour_is_one_variants_and_nothing_elses():
    assert set(palette.VARIANTS) <= {*VARIANTS, *FURTHER}
    used = [*palette.VARIANTS.values(), *palette.SERIES, palette.INK, palette.ADDED]
    assert len({to_rgb(colour) for colour in used}) == len(used)


def test_a_switch_does_not_change_a_variants_colour():
    assert palette.of_variant("pruning-linear-85") == palette.of_variant("pruning")


def test_a_variant_of_a_users_own_has_a_colour_too():
    assert palette.of_variant("quiet") == palette.ADDED
