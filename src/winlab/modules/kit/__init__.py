"""What all emulated modules share: specifications, argument checks, the ways they end."""
