# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The style sheet of the status page.

Private to this collection.
"""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2128; --soft: #57606a; --line: #d0d7de; --card: #f6f8fa;
  --ok: #116329; --ok-back: #dafbe1; --warning: #7a4b00; --warning-back: #fff3cd; --critical: #a40e26; --critical-back: #ffe3e3;
  --unknown: #4c3a9e; --unknown-back: #ece8ff; --link: #0550ae; }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --ink: #e6edf3; --soft: #9ea7b3; --line: #30363d; --card: #161b22;
  --ok: #56d364; --ok-back: #0f2d1a; --warning: #e3b341; --warning-back: #332701; --critical: #ff938a; --critical-back: #3d1113;
  --unknown: #c4b5fd; --unknown-back: #251d4a; --link: #79c0ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 90rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.25rem; margin: 0 0 .5rem; } h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
section { margin: 1.5rem 0; padding-top: 1rem; border-top: 2px solid var(--line); }
a { color: var(--link); }
.seen, dt, caption { color: var(--soft); }
code { font: .9em/1.4 ui-monospace, monospace; background: var(--card); padding: .1em .3em; border-radius: 4px; }
.badge, .state { font-weight: 600; border-radius: 1em; padding: .1em .6em; white-space: nowrap; }
.state { border-radius: 4px; padding: 0 .3em; }
.ok { color: var(--ok); background: var(--ok-back); } .warning { color: var(--warning); background: var(--warning-back); }
.critical { color: var(--critical); background: var(--critical-back); } .unknown { color: var(--unknown); background: var(--unknown-back); }
dl { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: .5rem 0; } dt { font-size: .85rem; } dd { margin: 0; }
.findings { list-style: none; margin: 0; padding: 0; }
.finding { margin: .5rem 0; padding: .5rem .75rem; border-left: 4px solid; border-radius: 4px; }
.finding.note { background: var(--card); color: var(--soft); }
.finding p { margin: 0; color: var(--ink); } .finding .next { margin-top: .25rem; }
.finding strong, .finding .sign { color: inherit; }
table { border-collapse: collapse; width: 100%; margin: .75rem 0; font-size: .95rem; }
caption { text-align: left; font-weight: 600; padding: .25rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
th { font-size: .85rem; color: var(--soft); white-space: nowrap; }
.wide { overflow-x: auto; }
td { font-variant-numeric: tabular-nums; overflow-wrap: break-word; } td:last-child { overflow-wrap: anywhere; min-width: 12rem; }
summary { cursor: pointer; padding: .5rem 0; font-weight: 600; min-height: 2.75rem; }
@media (max-width: 70rem) {
  table, caption, tbody, tr, td { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { background: var(--card); border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; padding: .25rem .6rem; }
  td, td:last-child { border: 0; padding: .15rem 0; min-width: 0; overflow-wrap: anywhere;
    display: grid; grid-template-columns: 7rem 1fr; gap: .5rem; justify-items: start; }
  td::before { content: attr(data-label); color: var(--soft); font-size: .85rem; }
  td.empty { display: none; }
  a { display: inline-block; padding: .4rem 0; }
}
@media print { summary { display: none; } section { break-inside: avoid; } }
"""
