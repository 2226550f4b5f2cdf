"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# The test kit's fixture: a platform with the functions of chalicelib/functions.
pytest_plugins = ["chalicelib.testing.plugin"]

# Times differ too much between machines to be a test of anything.
settings.register_profile("stepwell", deadline=None)
settings.load_profile("stepwell")
