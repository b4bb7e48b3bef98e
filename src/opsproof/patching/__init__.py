"""Patching: what is approved, what a host would get, and what became of it.

Pure functions between Windows' answers and the facts that are handed over: nothing here does I/O.
"""
