"""Bring the logs of a Windows host home: what is there, what is new, packed, moved, and checked.

``look`` and ``listing`` write the two commands that only read, ``plan`` decides on the controller what
is brought home in which part, ``pack`` writes the batch file that copies and packs, ``home`` checks
what came and remembers it, ``facts`` puts the observation together. Nothing here judges.
"""
