"""Sigma rules: parsed by pySigma, compiled to trees of atoms, evaluated by our own engine."""
