"""The use cases: they decide with core and act through the ports."""
