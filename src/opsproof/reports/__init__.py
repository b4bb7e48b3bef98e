"""Renders what sealed evidence says: the contract's report forms, never a judgement of its own."""
