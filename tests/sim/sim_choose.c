// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_choose.h"

#include <string.h>

#include "base/num.h"
#include "sim/scenarios.h"
#include "sim/sim_disk.h"

#define PLANS_MAX 6

int64_t some_ms(int64_t low, int64_t high)
{
    return sim_between(low * SIM_MS, high * SIM_MS);
}

void choose_network(struct mood *m)
{
    static const uint32_t segments[] = {0, 0, 1460, 1460, 16384, 100, 13};
    static const uint32_t windows[] = {300, 2000, 20000, 65536, 65536, 65536};
    sim_net.latency_ns = sim_chance(10) ? 0 : sim_between(20000, 15 * SIM_MS);
    sim_net.jitter_ns = sim_chance(50) ? sim_between(0, 5 * SIM_MS) : 0;
    sim_net.segment_max = segments[sim_below(ARRAY_LEN(segments))];
    sim_net.window_min = windows[sim_below(ARRAY_LEN(windows))];
    sim_net.window_max = sim_net.window_min * (sim_chance(50) ? 1 : 3);
    sim_net.rst_drops_percent = sim_below(3) * 50;
    sim_net.defer_accept = sim_chance(40);
    sim_net.backlog = sim_chance(20) ? 4 : 128;
    sim_sys.burst_percent = sim_below(4) * 30;
    sim_sys.shuffles = sim_chance(50);
    sim_sys.failure_percent = !m->is_calm && sim_chance(20) ? (sim_chance(30) ? 25 : 2) : 0;
    sim_sys.connect_failure_percent = !m->is_calm && sim_chance(20) ? 5 : 0;
    sim_sys.delay_permille = !m->is_calm && sim_chance(25) ? sim_below(10) : 0;
    sim_sys.delay_max_ns = some_ms(0, 3000);
    sim_disk.delay_percent = sim_below(3) * 50;
    sim_disk.delay_max_ns = m->is_calm || sim_chance(60) ? SIM_MS : some_ms(0, 3000);
    sim_disk.failure_permille = !m->is_calm && sim_chance(20) ? 20 : 0;
    sim_disk.full_permille = !m->is_calm && sim_chance(20) ? 200 : 0;
    sim_net.syn_loss_percent = !m->is_calm && sim_chance(20) ? 10 : 0;
    m->body_max = MIN((size_t)sim_net.window_min * 40, (size_t)120000);
    if (sim_net.segment_max > 0)
        m->body_max = MIN(m->body_max, (size_t)sim_net.segment_max * 300);
}

struct sim_pace some_pace(size_t bytes)
{
    if (sim_chance(60))
        return (struct sim_pace){.piece_bytes = 0};
    return (struct sim_pace){.piece_bytes = (uint32_t)(bytes / 60 + 1 + sim_below(100)),
                             .gap_ns = sim_between(1000, 15 * SIM_MS)};
}

struct sim_cut some_cut(size_t bytes)
{
    static const enum sim_fault hows[] = {SIM_CLOSE, SIM_RESET, SIM_STALL};
    return (struct sim_cut){.how = hows[sim_below(ARRAY_LEN(hows))],
                            .at = sim_below((uint32_t)bytes + 1)};
}

size_t some_size(const struct mood *m)
{
    switch (sim_below(4)) {
    case 0:
        return sim_below(3);
    case 1:
        return sim_below(200);
    default:
        return sim_below(sim_chance(30) ? (uint32_t)m->body_max : 6000);
    }
}

static void choose_faults(const struct mood *m, struct sim_plan *p)
{
    static const char *const garbage[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "\x16\x03\x01\x02",
    };
    if (!sim_chance(m->server_faults))
        return;
    p->n_cuts = 1 + sim_below(3);
    switch (sim_below(4)) {
    case 0:
        p->cut_inward = some_cut(p->request_bytes + 200);
        break;
    case 1:
        p->raw = garbage[sim_below(ARRAY_LEN(garbage))];
        p->closes_silently = true;
        break;
    case 2:
        p->closes_silently = true;
        break;
    default:
        p->cut = some_cut(sim_chance(50) ? 150 : p->answer_bytes + 150);
    }
}

#define SMUGGLED                                                                                   \
    "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n"                                  \
    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"                                                  \
    "GET /e/0 HTTP/1.1\r\nHost: a.example\r\n\r\n"

static void choose_malformed(struct sim_plan *p)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\nHost: a.example\nX: y\r\n\r\n",
        SMUGGLED,
        "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: +4\r\n\r\nabcd",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/3.0\r\nHost: a.example\r\n\r\n",
        "\x16\x03\x01\x02\x03\x04",
        "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /e/0 HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n",
        "GET  /e/0 HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "POST /e/0 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: gzip\r\n\r\n",
        "\r\n\r\n\r\n\r\n GET",
    };
    *p = (struct sim_plan){.id = p->id,
                           .method = "GET",
                           .host = p->host,
                           .minor = 1,
                           .raw_request = requests[sim_below(ARRAY_LEN(requests))]};
}

bool choose_host_is_shared(const char *host)
{
    return strcmp(host, "h.example") == 0 || strcmp(host, "t.example") == 0;
}

const char *choose_host(void)
{
    static const char *const hosts[] = {"a.example", "b.example", "b.example",
                                        "n.example", "u.example", "h.example",
                                        "h.example", "t.example", "t.example"};
    return hosts[sim_below(ARRAY_LEN(hosts))];
}

struct sim_plan *choose_plan(const struct mood *m, bool is_last, bool is_alone)
{
    const struct sim_plan *model = &kinds[sim_below((uint32_t)n_kinds)];
    while ((model->is_upgrade && !is_last) || (model->minor == 0 && !is_alone))
        model = &kinds[sim_below((uint32_t)n_kinds)];
    struct sim_plan *p = sim_plan_like(model);
    p->host = choose_host();
    p->is_websocket = p->is_upgrade && (choose_host_is_shared(p->host) || sim_chance(30));
    if (p->request != SIM_NO_BODY)
        p->request_bytes = some_size(m);
    if (p->answer != SIM_NO_BODY)
        p->answer_bytes = some_size(m);
    if (p->is_upgrade)
        p->tunnel_bytes = some_size(m);
    p->think_ns = sim_chance(50) ? 0 : some_ms(0, sim_chance(80) ? 80 : 700);
    p->pace = some_pace(p->answer_bytes);
    p->closes |= !p->is_upgrade && sim_chance(10);
    p->asks_close = is_last && sim_chance(20);
    p->must_succeed = m->is_calm;
    bool has_body = p->request != SIM_NO_BODY;
    p->answers_early = has_body && is_last && !p->expects && sim_chance(15);
    p->drops_rest = p->answers_early && !m->is_calm && sim_chance(50);
    if (!m->is_calm && !p->is_upgrade)
        choose_faults(m, p);
    else if (p->is_websocket && sim_chance(m->server_faults))
        p->cut = some_cut(p->tunnel_bytes + 200);
    if (!m->is_calm && is_last && sim_chance(10))
        choose_malformed(p);
    return p;
}

// --- TLS ---

#define PASSED_HOST "passed.example"

const char *choose_tls(const struct mood *m)
{
    static const char *const calm[] = {
        "",
        "",
        ", tickets: off",
        ", max: '1.2'",
        ", groups: [P-256]",
        ", ciphers: [ECDHE-ECDSA-CHACHA20-POLY1305], suites: [TLS_AES_256_GCM_SHA384]",
    };
    static const char *const others[] = {", preset: modern", ", strict-sni: on",
                                         ", ciphers: [ECDHE-RSA-AES128-GCM-SHA256]", ""};
    if (!m->is_tls)
        return "";
    bool is_calm = m->is_calm || sim_chance(60);
    const char *words =
        is_calm ? calm[sim_below(ARRAY_LEN(calm))] : others[sim_below(ARRAY_LEN(others))];
    return sim_printf(", tls: { handshake-timeout: %ums%s }",
                      m->is_calm ? 10000 : 100 + sim_below(4000), words);
}

const char *choose_site_tls(const struct mood *m)
{
    static const char *const words[] = {"", "", ", tls: { groups: [X25519] }",
                                        ", tls: { tickets: off }"};
    return m->is_tls ? sim_printf(", redirect-to-https: off%s", words[sim_below(ARRAY_LEN(words))])
                     : "";
}

const char *choose_passing(const struct mood *m)
{
    if (!m->is_tls || (!m->is_calm && sim_chance(20)))
        return "";
    return "routes: [{ match: 'HostSNI(`" PASSED_HOST "`)', entrypoints: [web], passthrough: on, "
           "to: 'tcp://10.0.0.1:88' }]\n";
}

struct sim_tls_wish *choose_wish(const struct mood *m, const char *host)
{
    struct sim_tls_wish *wish = sim_alloc(sizeof *wish);
    bool is_passed = strcmp(host, PASSED_HOST) == 0;
    *wish = (struct sim_tls_wish){
        .server_name = host,
        .speaks_1_2 = sim_chance(25),
        .resumes = sim_chance(60),
        .shows = !is_passed   ? SIM_TLS_SHOWS_SITE
                 : m->is_calm ? SIM_TLS_SHOWS_SERVER
                              : SIM_TLS_SHOWS_EITHER,
        .is_rude = sim_chance(30),
        .renews_keys = sim_chance(20),
    };
    if (sim_chance(20))
        wish->pace = (struct sim_pace){1 + sim_below(400), sim_between(1000, SIM_MS)};
    if (!sim_chance(m->client_faults))
        return wish;
    if (sim_chance(70))
        wish->cut = some_cut(sim_chance(70) ? 700 : 5000);
    else
        wish->flip_at = 1 + sim_below(3000);
    return wish;
}

// Nobody between client and server knows HTTP.
static struct sim_plan *choose_passed_plan(const struct mood *m)
{
    struct sim_plan *p = sim_plan_new(sim_chance(50) ? "GET" : "POST", PASSED_HOST);
    p->is_passed = true;
    p->answer_bytes = some_size(m);
    if (p->method[0] == 'P') {
        p->request = SIM_LENGTH;
        p->request_bytes = some_size(m);
    }
    p->think_ns = sim_chance(50) ? 0 : some_ms(0, 80);
    p->must_succeed = m->is_calm;
    return p;
}

static void choose_passed_client(const struct mood *m, struct world *w)
{
    struct sim_plan *plans[PLANS_MAX];
    uint32_t n = 1 + sim_below(PLANS_MAX);
    for (uint32_t i = 0; i < n; i++)
        plans[i] = choose_passed_plan(m);
    struct sim_client *c = sim_client_new(plans, n);
    c->tls = choose_wish(m, PASSED_HOST);
    sim_client_start(c, &w->listener, sim_now_ns() + some_ms(0, m->start_within_ms));
}

// One connection is for one host.
static void speak_tls(const struct mood *m, struct sim_client *c)
{
    for (uint32_t i = 1; i < c->n_plans; i++)
        c->plans[i]->host = c->plans[0]->host;
    struct sim_plan *last = c->plans[c->n_plans - 1];
    last->is_websocket |= last->is_upgrade && choose_host_is_shared(last->host);
    struct sim_tls_wish *wish = choose_wish(m, c->plans[0]->host);
    // Nothing but close_notify ends one direction alone.
    wish->is_rude &= !c->half_closes && !c->plans[c->n_plans - 1]->is_upgrade;
    c->tls = wish;
}

void choose_to_speak_tls(struct sim_client *c)
{
    speak_tls(&(struct mood){.is_calm = true}, c);
}

void choose_client(const struct mood *m, struct world *w)
{
    if (m->has_h2 && sim_chance(50)) {
        choose_h2_client(m, w);
        return;
    }
    if (m->is_tls && sim_chance(20)) {
        choose_passed_client(m, w);
        return;
    }
    struct sim_plan *plans[PLANS_MAX];
    uint32_t n = 1 + sim_below(PLANS_MAX);
    size_t n_up = 0, n_down = 0;
    for (uint32_t i = 0; i < n; i++) {
        plans[i] = choose_plan(m, i == n - 1, n == 1);
        n_up += plans[i]->request_bytes + plans[i]->tunnel_bytes + 100;
        n_down += plans[i]->answer_bytes + plans[i]->tunnel_bytes + 200;
    }
    struct sim_client *c = sim_client_new(plans, n);
    c->pipelines = sim_chance(30);
    c->half_closes = !plans[n - 1]->is_upgrade && sim_chance(15);
    c->stays = sim_chance(15);
    c->is_eager = sim_chance(30);
    c->send_pace = some_pace(n_up);
    c->read_pace = some_pace(n_down);
    if (sim_chance(m->client_faults)) {
        if (sim_chance(50))
            c->cut_sent = some_cut(n_up);
        else
            c->cut_received = some_cut(n_down);
    }
    struct sim_listener **door = m->has_other && sim_chance(30) ? &w->other : &w->listener;
    if (m->is_tls && door == &w->listener && (m->is_calm || !sim_chance(3)))
        speak_tls(m, c);
    sim_client_start(c, door, sim_now_ns() + some_ms(0, m->start_within_ms));
}

struct sim_server *choose_server(const struct mood *m, uint32_t place)
{
    struct sim_server *s = sim_server_new(place);
    if (sim_chance(30))
        s->read_pace = (struct sim_pace){1 + sim_below(20000), sim_between(1000, 2 * SIM_MS)};
    if (s->read_pace.piece_bytes > 0 && s->read_pace.piece_bytes < 500)
        s->read_pace.gap_ns = 1000;
    s->takes_websockets = true;
    s->shakes_slowly = sim_chance(20);
    if (m->is_calm)
        return s;
    s->takes_websockets = sim_chance(70);
    s->tls_faults_percent = sim_below(4) * 5;
    s->is_rude = sim_chance(30);
    s->refuse_percent = sim_below(4) * 5;
    s->reset_percent = sim_below(4) * 3;
    s->hostile_percent = sim_chance(20) ? 30 : 0;
    if (sim_chance(60)) {
        s->idle_min_ns = 1;
        s->idle_max_ns = some_ms(1, 1500);
    }
    if (sim_chance(5))
        sim_net_set_reach(place, sim_chance(50) ? SIM_REACH_NOTHING : SIM_REACH_REFUSED);
    return s;
}
