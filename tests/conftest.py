"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# The test kit's fixture: a platform with the functions of chalicelib/functions.
pytest_plugins = ["chalicelib.testing.plugin"]

# Times differ too much between machines to be a test of anything, and the same code gets the same inputs every time:
# what is red has been changed. New inputs are for `make soak`.
settings.register_profile("stepwell", deadline=None, derandomize=True)
settings.register_profile("soak", deadline=None, print_blob=True)
settings.load_profile("stepwell")
