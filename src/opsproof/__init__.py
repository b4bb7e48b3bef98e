"""opsproof: scheduled security maintenance that proves what it did."""

__version__ = "0.1.0"
