"""Emulated Ansible modules: one file each, named as the module; shared parts are in ``kit``."""
