"""winlab: simulated Windows hosts that speak real WinRM."""
