"""The command line, thin over the package: parse, call, print."""
