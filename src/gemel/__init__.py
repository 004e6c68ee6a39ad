"""Gemel: two plain Debian machines, one firewall."""

__version__ = "0.1.0"
