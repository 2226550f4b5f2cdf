"""Stepwell: durable functions in your own AWS account. docs/ARCHITECTURE.md is the map."""
