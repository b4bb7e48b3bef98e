"""A small project of its own, whose three hosts are all this machine.

Kept as text: as files, ansible-lint would take it for a part of this repository's playbooks.
"""

from __future__ import annotations

from pathlib import Path

ANSIBLE_CFG = r"""[defaults]
action_plugins = action_plugins
roles_path = roles
inventory_ignore_patterns = ^(schedule|calendar|waivers|register)\.ya?ml$, ^approvers\.pem$
gathering = explicit
internal_poll_interval = 0.01
"""

EVIDENCE = """\
'''Stands in for the evidence action: hands over what the test's variables say, unchecked.'''

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    '''Returns ``observations`` as they are given, the run's id filled in.'''

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        del tmp
        records = [
            {"run": str((task_vars or {})["opsproof_run_id"]), **record}
            for record in self._task.args["observations"]
        ]
        files = [dict(file) for file in self._task.args.get("files", [])]
        for file in files:
            Path(file["path"]).write_text(file.pop("text"))
        return {"changed": False, "opsproof_evidence": {"observations": records, "files": files}}
"""

PROBE_CONTROL = """\
---
activity: probe
controls:
  - id: PRB-1
    title: {zh: 磁盘剩余空间, en: Free disk}
    remedy: {zh: 清理, en: Clean up}
    subject: host
    severity: high
    demands: [B-1]
    clauses: []
    test: {path: free_percent, at_least: 10}
"""

SCHEDULE_CONTROL = """\
---
activity: schedule
controls:
  - id: SCH-1
    title: {zh: 按期执行, en: Done in time}
    remedy: {zh: 补做, en: Run it}
    subject: due-item
    severity: medium
    demands: [C-1]
    clauses: []
    test: {path: done, equals: true}
"""

HOSTS = """\
---
all:
  vars:
    ansible_connection: ansible.builtin.local
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    estate_time_zone: Asia/Shanghai
    free_percent: 50
  children:
    web:
      hosts:
        h1: {asset: {code: AST-1}}
        h2: {free_percent: 3}
    other:
      hosts:
        h3:
"""

PROBE_ROLE = r"""---
- name: Look
  ansible.builtin.command: "sh -c '{{ probe_command | default('true') }}'"
  changed_when: false
  check_mode: false

- name: Hand over
  evidence:
    files:
      - path: "{{ opsproof_staging }}/{{ inventory_hostname }}.log"
        text: "raw log of {{ inventory_hostname }}\n"
        sha256: "{{ ('raw log of ' ~ inventory_hostname ~ '\n') | hash('sha256') }}"
    observations:
      - id: "OBS-{{ inventory_hostname }}"
        activity: probe
        subject: {kind: host, id: "{{ inventory_hostname }}", host: "{{ inventory_hostname }}"}
        collected_at: "{{ opsproof_now }}"
        clock_offset_ms: 0
        collector: probe/1
        facts:
          free_percent: "{{ free_percent | int }}"
          since: "{{ opsproof_since }}"
          said: "{{ said | default('nothing') }}"
        artifacts:
          - name: log.txt
            media_type: text/plain
            size: "{{ ('raw log of ' ~ inventory_hostname ~ '\n') | length }}"
            sha256: "{{ ('raw log of ' ~ inventory_hostname ~ '\n') | hash('sha256') }}"
"""

DAILY = """\
---
- name: Look
  hosts: all
  gather_facts: false
  roles:
    - role: probe
"""

FILES = {
    "ansible.cfg": ANSIBLE_CFG,
    "action_plugins/evidence.py": EVIDENCE,
    "controls/probe.yml": PROBE_CONTROL,
    "controls/schedule.yml": SCHEDULE_CONTROL,
    "inventory/hosts.yml": HOSTS,
    "roles/probe/tasks/main.yml": PROBE_ROLE,
    "playbooks/daily.yml": DAILY,
}


def write_project(folder: Path) -> None:
    """Writes the project's files below ``folder``, which need not exist."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
