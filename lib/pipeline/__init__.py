"""Which notebook runs when, and how it is executed."""
