"""SQL Server as the lab has it: Transact-SQL over databases that SQLite keeps in memory.

``Instance`` has databases and logins and gives ``Session`` objects; a session's ``batch`` is a
generator of events.
Nothing in here does I/O or reads a clock. What is not modelled fails with message 50000 that names it.
"""
