"""Daily inspection of a Windows host: the one command it needs, and the facts in its answers.

``command`` writes the command line, ``batch`` splits what it printed into sections, the parsers read
one tool's output each, ``facts`` puts the observation together. Nothing here judges.
"""
