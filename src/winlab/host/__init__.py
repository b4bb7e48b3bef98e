"""The state of simulated Windows hosts and the rules of Windows; no I/O, no clock of its own."""
