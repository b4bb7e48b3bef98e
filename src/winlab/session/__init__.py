"""Shells, commands, streams, quotas and time-outs of one host's WinRM service; no sockets."""

from winlab.session.machine import Caller, Machine, Surroundings
from winlab.session.quotas import WinrmSettings
from winlab.session.service import Service

__all__ = ["Caller", "Machine", "Service", "Surroundings", "WinrmSettings"]
