# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the status playbook and write what it shows as a picture: docs/images/status.svg.

    python3 tools/status_picture.py [INVENTORY] [FILE]      default: inventories/lab, docs/images/status.svg

The text is the playbook's own, word for word; only the states get a colour.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
WIDTH, HEIGHT, MARGIN = 8.4, 19, 16
COLOURS = {
    "ONLINE": "#3fb950",
    "RECOVERING": "#d29922",
    "UNREACHABLE": "#f85149",
    "OFFLINE": "#f85149",
    "ERROR": "#f85149",
}


def status(inventory: str) -> str:
    """The message of the playbook's last task."""
    env = dict(os.environ, ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_NOCOLOR="1")
    env["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "yaml"
    command = ["ansible-playbook", "-i", inventory, "playbooks/status.yml"]
    output = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout
    message = re.search(r"msg: \|-?\n(.*?)\n\s*\nPLAY RECAP", output, re.DOTALL)
    if not message:
        raise SystemExit(f"the status playbook showed no table:\n{output}")
    return textwrap.dedent(message[1]).strip()


def coloured(line: str) -> str:
    states = "|".join(COLOURS)
    return re.sub(
        rf"\b({states})\b", lambda found: f'<tspan fill="{COLOURS[found[0]]}">{found[0]}</tspan>', escape(line)
    )


def picture(text: str) -> str:
    lines = text.splitlines()
    width = max(map(len, lines)) * WIDTH + 2 * MARGIN
    height = len(lines) * HEIGHT + 2 * MARGIN
    rows = "\n".join(
        f'<text x="{MARGIN}" y="{MARGIN + (number + 0.75) * HEIGHT:.1f}" xml:space="preserve">{coloured(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        "<!-- SPDX-License-Identifier: GPL-3.0-or-later; made by tools/status_picture.py -->\n"
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}">\n'
        '<rect width="100%" height="100%" rx="6" fill="#0d1117"/>\n'
        f'<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" fill="#c9d1d9">\n{rows}\n</g>\n</svg>\n'
    )


def main(arguments: list[str]) -> int:
    inventory, target = [*arguments, *["inventories/lab", "docs/images/status.svg"][len(arguments) :]]
    (ROOT / target).parent.mkdir(parents=True, exist_ok=True)
    (ROOT / target).write_text(picture(status(inventory)))
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
