"""Log audit: Windows event logs and IIS logs in, Sigma rules applied, hits with evidence out.

``from opsproof.logs.audit import audit`` starts the engine; ``opsproof.logs.model`` alone, which facts
and reports need, stays light.
"""
