"""A test kit for functions: the whole platform in one process and in memory, with a clock that you move.

See docs/TESTING.md. Nothing here travels to Lambda's hot path: it is imported by tests alone.
"""

from chalicelib.testing.kit import RunView, StepView, Stepwell, start_stepwell

__all__ = ["RunView", "StepView", "Stepwell", "start_stepwell"]
