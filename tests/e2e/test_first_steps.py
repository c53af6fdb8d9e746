# SPDX-License-Identifier: Apache-2.0
"""A newcomer's first minutes: a site, a server, an answer."""
from harness import run


def test_a_site_of_one_line_reaches_its_server(start, origin):
    server = origin(lambda request, conn: f"you asked for {request.target}")
    proxy = start(f"sites: {{ test.example: '{server.url}' }}")
    answer = proxy.get("/a?b=c")
    assert answer.status == 200
    assert answer.text == "you asked for /a?b=c"


def test_two_names_on_one_address_reach_two_servers(start, origin):
    """S2-1 S2-2: names decide; S1-7."""
    chat, films = origin(lambda r, c: "chat"), origin(lambda r, c: "films")
    proxy = start(f"sites: {{ chat.example: '{chat.url}', films.example: '{films.url}' }}")
    assert proxy.get(host="chat.example").text == "chat"
    assert proxy.get(host="films.example").text == "films"


def test_version_and_help_are_there():
    assert run("version", check=0).stdout.startswith("sallyport ")
    assert "sallyport run" in run("--help", check=0).stdout
