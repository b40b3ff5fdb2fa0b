"""From messages to formulas, and the verdict on them."""
