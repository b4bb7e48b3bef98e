#!/usr/bin/env python3
"""Tells Ansible where the hosts of the running lab answer (an inventory script).

Reads what `winlab up` left in its state folder (WINLAB_STATE, else .lab beside ansible.cfg). Without
a running lab it adds nothing: the hosts are then unreachable, which is the truth.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def inventory(state_folder: Path) -> dict[str, object]:
    """The dynamic part of the inventory in Ansible's JSON form."""
    try:
        state = json.loads((state_folder / "state.json").read_text(encoding="utf-8"))
        password = Path(state["password_file"]).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return {"_meta": {"hostvars": {}}}
    login = {
        "ansible_user": state["user"],
        "ansible_password": password,
        "ansible_winrm_ca_trust_path": state["ca"],
        "ansible_psrp_ca_cert": state["ca"],
    }
    hostvars = {
        name: {"ansible_host": host["address"], **login}
        for name, host in state["hosts"].items()
        if host["https"] or host["http"]
    }
    return {"lab": {"hosts": sorted(hostvars)}, "_meta": {"hostvars": hostvars}}


if __name__ == "__main__":
    folder = Path(os.environ.get("WINLAB_STATE") or PROJECT / ".lab")
    print(json.dumps(inventory(folder), ensure_ascii=False))
