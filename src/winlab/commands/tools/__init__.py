"""Windows' own command-line tools, one file each, registered by name."""
