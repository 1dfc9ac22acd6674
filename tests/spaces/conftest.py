import pytest


@pytest.fixture(scope="session")
def cells(nb201):
    """All 15,625 cells, tokens `[15625, 8]`."""
    return nb201.all_tokens()
