"""The one error that users meet: a single clear line, never a traceback."""


class InputError(ValueError):
    """Bad input; its text is one line that names the valid choices."""
