"""Callback plugins that every run of a playbook loads; ansible.cfg names this folder."""
