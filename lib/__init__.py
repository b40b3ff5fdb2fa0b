"""The physics, the networks and their distillation, as the notebooks use them: one idea a file."""
