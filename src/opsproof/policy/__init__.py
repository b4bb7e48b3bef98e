"""Security policy of Windows: reading and writing its files, baselines, and planning changes."""
