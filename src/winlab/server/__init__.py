"""Sockets, TLS, HTTP and logins: the only part of winlab that does I/O.

lab = LabServer(hosts)        # each implements HostPort
await lab.start()             # every host listens on its address, ports 5985 and 5986
lab.ca.write(path)            # what clients trust
lab.refresh("web1")           # after a change of is_up()
lab.restart("web1")           # drop its shells and connections
await lab.stop()

Imports nothing, so that the command line, which only needs the errors, starts at once.
"""
