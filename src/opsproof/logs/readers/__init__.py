"""Readers turn a log file into batches of records (:mod:`opsproof.logs.table`).

A reader never raises for what a file contains: damage is noted in its :class:`Notes` and the rest
of the file is read.
"""
