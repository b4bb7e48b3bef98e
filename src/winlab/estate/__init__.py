"""Hosts from an estate file, and the running lab that serves them."""
