"""The style of the sandbox's page, and the headers that allow this style and nothing else."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; color: #1f2a37; background: #f6f7f9; margin: 0 }
main { max-width: 1440px; margin: 0 auto; padding: 20px 16px 48px }
h1 { font-size: 22px; margin: 0 } h2 { font-size: 17px; margin: 0 }
p { margin: 4px 0; color: #5b6675 } a { color: #1d5fbf }
.tiles { display: flex; flex-wrap: wrap; gap: 10px; margin: 14px 0 }
.tile { background: #fff; border: 1px solid #e2e6ea; border-radius: 8px; padding: 6px 14px; min-width: 84px;
  color: inherit; text-decoration: none }
.tile:hover { border-color: #1d5fbf }
.tile b { display: block; font-size: 19px; font-variant-numeric: tabular-nums }
form { display: flex; flex-wrap: wrap; gap: 12px; align-items: center; margin: 14px 0 }
input[type=search] { font: inherit; padding: 7px 10px; width: 340px; border: 1px solid #c3cad3;
  border-radius: 6px }
button { font: inherit; padding: 7px 16px; border: 0; border-radius: 6px; background: #1d5fbf; color: #fff }
.title { display: flex; gap: 12px; align-items: baseline; margin: 26px 0 8px }
table { border-collapse: separate; border-spacing: 0; width: 100%; table-layout: fixed; font-size: 13px;
  background: #fff; border: 1px solid #e2e6ea; border-radius: 8px }
th, td { text-align: left; padding: 7px 10px; border-bottom: 1px solid #eef0f3; vertical-align: top;
  overflow-wrap: anywhere }
th { background: #fafbfc; font-weight: 600; position: sticky; top: 0; box-shadow: 0 1px #e2e6ea }
tr:last-child td { border-bottom: 0 } tbody tr:hover td { background: #fafbfc }
tr.created td:first-child { box-shadow: inset 3px 0 #1a7f4b }
tr.updated td:first-child { box-shadow: inset 3px 0 #b7791f }
tr.deleted td:first-child { box-shadow: inset 3px 0 #b42318 }
tr.deleted .strong { text-decoration: line-through }
.w6 { width: 6% } .w8 { width: 8% } .w10 { width: 10% } .w12 { width: 12% } .w14 { width: 14% } .w16 { width: 16% }
.w18 { width: 18% }
.strong { font-weight: 600 } .dim { color: #5b6675 } .bad { color: #b42318; font-weight: 600 }
.pill { display: inline-block; border-radius: 10px; padding: 0 8px; background: #eef0f3; font-weight: 600 }
.pill.created, .pill.sending { background: #dcf3e6; color: #12613a }
.pill.updated { background: #fbeed3; color: #7a4d0b }
.pill.deleted, .pill.refused { background: #fbe4e1; color: #97190f }
.tag { display: inline-block; border: 1px solid #d5dbe2; border-radius: 4px; padding: 0 6px; margin: 0 4px 3px 0 }
.gone { text-decoration: line-through; color: #5b6675 } code { font: 12px/1.5 ui-monospace, monospace }
summary { cursor: pointer; font-weight: 600 }
"""

# Contacts and requests may hold anything. If a value ever got into the page as markup, no browser would run it.
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
