"""One maintenance run: gates, lock, Ansible, observations, verdicts, sealed bundle."""
