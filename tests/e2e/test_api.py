# SPDX-License-Identifier: Apache-2.0
"""What runs, as JSON: over HTTP where a route leads there, and over the control socket."""
import base64
import json

import pytest

from harness import Client, Origin, Proxy, free_ports, ok, run

SETTINGS = """
filters:
  password: {{ basic-auth: {{ users: ["ann:$2y$05$fFTvpmqLErU4P4VPJLcqtejgFG41OzCd9pAw6dT4YRXVM0vZ4QWlu"] }} }}
  inside: {{ allow: {{ addresses: [127.0.0.0/8] }} }}
sites:
  open.example: api@internal
  locked.example: {{ use: [inside, password], to: api@internal }}
  app.example: {{ to: app, routes: [{{ match: "PathPrefix(`/in`)", to: app, use: [password] }}] }}
  dead.example: http://127.0.0.1:{dead}
services:
  app: {{ servers: ["http://127.0.0.1:{live}"] }}
"""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    origin = Origin(lambda request, conn: ok("hi"))
    settings = SETTINGS.format(dead=free_ports(1)[0], live=origin.port)
    running = Proxy(tmp_path_factory.mktemp("api") / "proxy", settings, workers=2)
    yield running
    running.stop()
    origin.stop()


def ask(proxy, path, host="open.example", headers="", method="GET"):
    return proxy.get(path, host=host, headers=headers, method=method)


def read(proxy, path, **kwargs):
    answer = ask(proxy, path, **kwargs)
    assert answer.status == 200, (path, answer.status, answer.text)
    return json.loads(answer.text)


def by_command(proxy, *args):
    return run(*args, "--control", proxy.file.parent / "control.sock")


def test_every_path_of_the_index_answers_with_json_that_nobody_keeps(proxy):
    views = read(proxy, "/api/v1")
    assert len(views) > 15
    for view in views:
        answer = ask(proxy, view["path"])
        assert answer.status == 200 and answer.get("cache-control") == "no-store", view
        assert answer.get("access-control-allow-origin") is None
        if view["path"] != "/ping":
            assert isinstance(json.loads(answer.text), list) == (view["list"] or
                                                                 view["path"] == "/api/v1")
    assert ask(proxy, "/ping").text == "OK"


def test_it_is_reached_only_where_a_route_leads_and_past_its_filters(proxy):
    """S0-5"""
    assert ask(proxy, "/api/v1", host="locked.example").status == 401
    token = base64.b64encode(b"ann:wrong").decode()
    assert ask(proxy, "/api/rawdata", host="locked.example",
               headers=f"Authorization: Basic {token}\r\n").status == 401
    assert ask(proxy, "/api/v1/status", host="nobody.example").status == 404
    assert ask(proxy, "/api/v1/status", host="app.example").text == "hi"
    for method in "POST", "DELETE", "OPTIONS", "PUT":
        answer = ask(proxy, "/api/v1/status", method=method)
        assert answer.status == 405 and answer.get("allow") == "GET, HEAD"
    head = ask(proxy, "/api/v1/routes", method="HEAD")
    assert head.status == 200 and head.text == "" and head.get("x-next-page") == "1"


def test_what_is_asked_wrongly_is_told_in_json(proxy):
    for path, status in {"/": 404, "/api": 404, "/api/v1/nothing": 404, "/api/v1/routes/none": 404,
                         "/api/v1/routes?page=0": 400, "/api/http/routers?per_page=x": 400,
                         "/api/v1/routes?page=99": 400}.items():
        answer = ask(proxy, path)
        assert answer.status == status, path
        assert json.loads(answer.text)["message"]


def test_routes_tell_their_filters_in_order_and_where_they_are_written(proxy):
    route = read(proxy, "/api/v1/routes/locked.example")
    assert [f["name"] for f in route["filters"]] == ["inside", "password"]
    assert [f["kind"] for f in route["filters"]] == ["allow", "basic-auth"]
    assert route["service"] == "api@internal" and route["enabled"]
    assert route["from"]["source"].endswith("sallyport.yaml") and route["from"]["line"] == 7
    assert read(proxy, "/api/v1/filters/password")["used_by"] == ["locked.example@file",
                                                                  "app.example/1@file"]


def test_services_tell_the_state_of_their_servers(proxy):
    for _ in range(3):
        ask(proxy, "/", host="app.example")
    app = read(proxy, "/api/v1/services/app")
    assert app["servers"][0]["requests"] >= 3
    assert app["servers"][0]["addresses"][0]["state"] == "up"
    assert set(app["used_by"]) == {"app.example@file", "app.example/1@file"}


def test_a_refused_request_is_explained_by_the_id_of_its_error_page(proxy):
    answer = ask(proxy, "/in?token=secret", host="app.example")
    assert answer.status == 401
    request_id = answer.get("x-request-id")
    found = read(proxy, f"/api/v1/errors/{request_id}")
    assert found["by"] == "filter password" and found["status"] == 401
    assert found["route"] == "app.example/1" and found["kind"] == "refused"
    assert "no credentials" in found["reason"] and "secret" not in json.dumps(found)
    told = by_command(proxy, "errors", request_id)
    assert told.returncode == 0 and "decided by  filter password" in told.stdout
    unknown = by_command(proxy, "errors", "never")
    assert unknown.returncode == 1 and "not found" in unknown.stderr


def test_a_failed_request_tells_which_server_and_why(proxy):
    answer = ask(proxy, "/x", host="dead.example")
    assert answer.status == 502
    found = read(proxy, f"/api/v1/errors/{answer.get('x-request-id')}")
    assert found["kind"] == "failed" and found["end"] == "server-connect"
    assert "refused" in found["reason"].lower()
    listed = by_command(proxy, "errors", "--kind", "failed", "--search", "dead.example")
    assert listed.returncode == 0 and "dead.example/x" in listed.stdout
    assert "app.example" not in listed.stdout


def test_settings_tell_where_each_value_comes_from(proxy):
    route = read(proxy, "/api/v1/settings/sites.locked.example.to")
    assert route["value"] == "api@internal" and route["from"].endswith("sallyport.yaml:7")
    assert read(proxy, "/api/v1/settings/log.level")["from"] == "default"
    everything = read(proxy, "/api/v1/settings")
    assert "app.example" in everything["sites"]["entries"]
    assert "$2y$" not in json.dumps(everything)


def test_good_requests_leave_no_trace(proxy):
    answer = ask(proxy, "/fine", host="app.example")
    assert answer.status == 200
    assert read(proxy, "/api/v1/errors?search=/fine") == []


def test_commands_read_the_same_over_the_control_socket(proxy):
    told = by_command(proxy, "api", "/api/v1/routes?per_page=2")
    assert told.returncode == 0 and "page=2" in told.stderr
    assert json.loads(told.stdout) == read(proxy, "/api/v1/routes?per_page=2")
    assert json.loads(by_command(proxy, "api").stdout) == read(proxy, "/api/v1")
    missing = by_command(proxy, "api", "/api/v1/routes/none")
    assert missing.returncode == 1 and json.loads(missing.stdout)["message"] == "not found"
    assert proxy.ask(command="api")["ok"] is False
    assert proxy.ask(command="api", path="x" * 3000)["ok"] is False


class TraefikReader:
    """Reads as tools do that know Traefik's API: page by page until X-Next-Page says 1."""

    def __init__(self, proxy, per_page=2):
        self.proxy, self.per_page = proxy, per_page

    def all(self, path):
        items, page = [], 1
        while True:
            answer = ask(self.proxy, f"{path}?page={page}&per_page={self.per_page}")
            assert answer.status == 200 and answer.get("content-type") == "application/json"
            items += json.loads(answer.text)
            page = int(answer.get("x-next-page"))
            if page == 1:
                return items


def test_tools_that_know_traefik_find_routers_services_and_middlewares(proxy):
    """S0-13"""
    reader = TraefikReader(proxy)
    routers = {r["name"]: r for r in reader.all("/api/http/routers")}
    assert {"open.example@file", "app.example@file", "app.example/1@file"} <= set(routers)
    for router in routers.values():
        assert router["status"] == "enabled" and router["provider"] == "file"
        assert router["rule"] and router["entryPoints"] and router["using"]
        one = read(proxy, "/api/http/routers/" + router["name"].replace("/", "%2F"))
        assert one == router
    services = {s["name"]: s for s in reader.all("/api/http/services")}
    app = services["app@file"]
    url = app["loadBalancer"]["servers"][0]["url"]
    assert app["serverStatus"] == {url: "UP"} and app["type"] == "loadbalancer"
    assert "app.example@file" in app["usedBy"]
    middlewares = {m["name"]: m for m in reader.all("/api/http/middlewares")}
    assert middlewares["password@file"]["type"] == "basicauth"
    raw = read(proxy, "/api/rawdata")
    assert set(raw["routers"]) == set(routers) and set(raw["services"]) == set(services)
    assert "$2y$" not in json.dumps(raw) + json.dumps(middlewares)
    overview = read(proxy, "/api/overview")
    assert overview["http"]["routers"] == {"total": len(routers), "warnings": 0, "errors": 0}
    assert overview["http"]["services"]["total"] == len(services)
    assert read(proxy, "/api/version")["Version"]
    assert read(proxy, "/api/entrypoints")[0]["name"] == "web"


def test_long_lists_come_in_pages_over_one_connection(tmp_path):
    sites = "".join(f"  s{i}.example: {{ to: app }}\n" for i in range(2000))
    proxy = Proxy(tmp_path / "many",
                  f"sites:\n  api.example: api@internal\n{sites}services: {{ app: http://127.0.0.1:1 }}\n")
    try:
        with Client(proxy.port) as client:
            names, page = [], 1
            while True:
                answer = client.exchange(f"GET /api/http/routers?page={page}&per_page=700 HTTP/1.1\r\n"
                                         "Host: api.example\r\n\r\n")
                names += [r["name"] for r in json.loads(answer.text)]
                page = int(answer.get("x-next-page"))
                if page == 1:
                    break
        assert len(set(names)) == len(names) == 2001
        raw = json.loads(proxy.get("/api/rawdata", host="api.example").text)
        assert len(raw["services"]["app@file"]["usedBy"]) == 2000
    finally:
        proxy.stop()
