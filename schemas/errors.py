"""What is wrong with what was given, by name."""


class InputError(ValueError):
    """What was given cannot be used: a code for machines, the field at fault, whether another try may help."""

    code = "bad_input"
    field = ""
    transient = False
