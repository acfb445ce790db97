"""Thin commands: what they do is in the packages that they call."""
