"""What a client runs on a host: ansible-core's exec manifest, known scripts, lines for cmd.exe."""
