"""Signature-data correction: find wrong signatures over business records and put right ones back.

Data moves one way: ``profile`` (what is signed and how) -> ``diagnose`` (one class a record) ->
``plan`` (only values that verify) -> ``apply`` (conditions on the before-image) -> evidence.
``check`` is the one strict verifier; nothing is planned or stored that it has not accepted.
"""
