"""The page at `GET /` of the local edge."""

from __future__ import annotations

from typing import Any

from rehearsal.host.envoy.start_page import add_start_page, page


def test_start_page_precedes_other_routes_for_get_only_and_without_the_firewall() -> None:
    routes: dict[str, Any] = {"virtual_hosts": [{"routes": [{"match": {"prefix": "/"}}]}]}
    add_start_page(routes, 8443)
    first, second = routes["virtual_hosts"][0]["routes"]
    assert first["match"]["path"] == "/"
    assert first["match"]["headers"][0]["string_match"] == {"exact": "GET"}
    assert first["direct_response"]["status"] == 200
    assert first["typed_per_filter_config"]["firewall"]["disabled"] is True
    assert second == {"match": {"prefix": "/"}}


def test_start_page_links_to_the_documentation_and_the_dashboard() -> None:
    text = page(8443, "/app")
    for link in ("/docs", "/openapi.json", "/app/", "http://localhost:8444/"):
        assert f'href="{link}"' in text
    assert "/app/" not in page(8443, "")
    assert len(text) < 4096  # the limit of Envoy's direct responses
