"""Asks; changes nothing. One module per phase."""
