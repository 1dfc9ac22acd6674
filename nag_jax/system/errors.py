"""The one exception that means "your input is wrong", which every room may raise."""


class InputError(ValueError):
    """Wrong input: says in one line what was expected, what was found and what mends it.

    The command line prints the message without a traceback and exits with status 2.
    Anything else that is raised is a defect of ours and keeps its traceback.
    """
