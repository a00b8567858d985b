"""`GET /`: what this is, for whoever opens it in a browser. No scripts, nothing from elsewhere."""

from __future__ import annotations

from fastapi import APIRouter, Response

from lineage import __version__

__all__ = ["router"]

router = APIRouter()

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Lineage</title>
<style>
  :root {{ color-scheme: light dark; }}
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto }}
  code, pre {{ font-family: ui-monospace, monospace; font-size: .9em }}
  pre {{ padding: .8rem; overflow: auto; border: 1px solid #8888; border-radius: .3rem }}
  dt {{ margin-top: .6rem }}
</style>
<h1>Lineage {version}</h1>
<p>A record of who used what, at which version, to make which model. This is the service;
people and programs ask it over GraphQL, and producers send it events.</p>
<dl>
<dt><code>POST <a href="/graphql/schema.graphql">/graphql</a></code></dt>
<dd>Questions. Every answer says how complete it is. The link is the schema.</dd>
<dt><code>POST /api/v1/lineage</code></dt>
<dd>OpenLineage events: one, or an array.</dd>
<dt><code>POST /api/v1/changes</code></dt>
<dd>Changes from this product's own hooks.</dd>
<dt><code>PUT /api/v1/blobs/sha256/DIGEST</code></dt>
<dd>Contents that those changes refer to.</dd>
<dt><code><a href="/readyz">/readyz</a></code>, <code><a href="/healthz">/healthz</a></code>,
<code><a href="/metrics">/metrics</a></code></dt>
<dd>For whoever runs it.</dd>
</dl>
<p>Try it:</p>
<pre>lineage search TEXT
lineage show model:NAME
lineage graphql '{{ lineage(id: "model:NAME") {{ nodes {{ depth node {{ id }} }} }} }}'</pre>
"""


@router.get("/")
async def home() -> Response:
    """A page that says what this is."""
    return Response(_PAGE.format(version=__version__), media_type="text/html; charset=utf-8")
