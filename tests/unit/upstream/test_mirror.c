// SPDX-License-Identifier: Apache-2.0
#include "upstream/mirror.h"

#include "unit/upstream/upstream_rig.h"
#include "upstream/worker.h"

// A service whose requests are copied to another one.
struct pair {
    struct rig r;
    struct origin main, copy;
    struct handler *to;
    struct service_names names;
};

static const struct handler *find(struct service_names *names, const struct conf_text *name)
{
    (void)name;
    return CONTAINER_OF(names, struct pair, names)->to;
}

// copy_url NULL: a server that answers.
static void pair_start(struct pair *p, const char *copy_url, uint32_t share)
{
    *p = (struct pair){.names.find = find};
    rig_init(&p->r);
    p->r.entry.exchange_mem_bytes = 1 << 20;
    p->r.worker->random = 42;
    rig_server(&p->r, copy_url ? copy_url : origin_start(&p->copy, "c", ORIGIN_ANSWERS)->url, 1);
    p->to = service_build(STR("next"), &p->r.conf, p->r.registry, &p->r.mem, &p->r.diags);
    p->r.conf.servers.n = 0;
    p->r.conf.names = &p->names;
    p->r.conf.mirror = (struct mirror_conf){.is_on = true,
                                            .to.text = STR("next"),
                                            .share = share,
                                            .body_max_bytes = 100,
                                            .timeout_ms = SOON_MS};
    rig_server(&p->r, origin_start(&p->main, "m", ORIGIN_ANSWERS)->url, 1);
    rig_build(&p->r);
}

static void pair_end(struct pair *p)
{
    TURN_UNTIL(&p->r, p->r.env.n_subs == 0);
    if (p->copy.listener)
        origin_stop(&p->copy);
    origin_stop(&p->main);
    service_release(p->to);
    rig_fini(&p->r);
}

static const struct mirror_stats *stats_of(const struct pair *p)
{
    return service_of(p->r.service)->mirror->stats;
}

static struct call ask(struct pair *p, enum method method, const char *body)
{
    struct call c = {.r = &p->r, .method = method, .upload = body};
    call_start(&c);
    call_wait(&c);
    CHECK_INT(c.status, 200);
    CHECK_STR(str_of(c.body), STR("m"));
    return c;
}

static void a_copy_goes_to_the_other_service_and_its_answer_nowhere(void)
{
    struct pair p;
    pair_start(&p, NULL, 100);
    struct call c = ask(&p, METHOD_GET, NULL);
    CHECK(strstr(c.trail, "service app mirrored to (next)") != NULL);
    TURN_UNTIL(&p.r, p.copy.n_requests == 1);
    CHECK(str_starts(str_of(p.copy.last), STR("GET / HTTP/1.1\r\n")));
    CHECK(strstr(p.copy.last, "client.test") != NULL);
    pair_end(&p);
}

static void a_body_goes_along_when_all_of_it_was_read(void)
{
    struct pair p;
    pair_start(&p, NULL, 100);
    struct call c = ask(&p, METHOD_POST, "what was sent");
    CHECK(strstr(c.trail, "mirrored to") != NULL);
    TURN_UNTIL(&p.r, p.copy.n_requests == 1);
    CHECK(strstr(p.copy.last, "Content-Length: 13\r\n") != NULL);
    CHECK(strstr(p.copy.last, "\r\n\r\nwhat was sent") != NULL);
    pair_end(&p);
}

static void too_large_a_body_is_not_copied(void)
{
    struct pair p;
    char large[102];
    memset(large, 'x', sizeof large);
    large[101] = '\0';
    pair_start(&p, NULL, 100);
    CHECK(strstr(ask(&p, METHOD_POST, large).trail, "did not mirror (the body is too large)"));
    large[100] = '\0';
    CHECK(strstr(ask(&p, METHOD_POST, large).trail, "mirrored to"));
    TURN_UNTIL(&p.r, p.copy.n_requests == 1);
    CHECK_INT(stats_of(&p)->n_dropped, 1);
    CHECK_INT(stats_of(&p)->n_sent, 1);
    CHECK_INT(stats_of(&p)->n_failed, 0);
    pair_end(&p);
}

static void a_copy_leaves_half_of_its_memory_to_the_request(void)
{
    static char large[10000];
    struct mirror_stats stats = {.n_sent = 0};
    const struct mirror m = {
        .name = STR("next"), .share = 100, .body_max_bytes = sizeof large, .stats = &stats};
    struct arena mem;
    struct body_bytes upload;
    struct str piece;
    char buf[256];
    struct writer w;
    arena_init(&mem, 2 * sizeof large, NULL, 0);
    struct exchange x = {.mem = &mem};
    x.req.body = body_bytes_init(&upload, str_from(large, sizeof large));
    mirror_begin(&m, STR("service app"), &x);
    CHECK_INT(body_read(x.req.body, &piece, (struct deadline){1}), IO_DONE);
    CHECK_INT(piece.len, sizeof large);
    writer_init(&w, buf, sizeof buf);
    trail_write(&x.trail, &w);
    CHECK(str_search(writer_str(&w), STR("the exchange's memory is used up")) != STR_NPOS);
    CHECK(mem.used_bytes < sizeof large);
    body_fini(x.req.body);
    arena_fini(&mem);
}

static void a_dead_mirror_does_no_harm(void)
{
    struct pair p;
    struct origin dead;
    pair_start(&p, origin_refuse(&dead)->url, 100);
    for (int i = 0; i < 5; i++)
        CHECK(strstr(ask(&p, METHOD_POST, "x").trail, "mirrored to") != NULL);
    CHECK_INT(p.main.n_requests, 5);
    pair_end(&p);
    close(dead.fd);
}

static void what_is_too_much_is_left_out(void)
{
    struct pair p;
    pair_start(&p, NULL, 100);
    p.r.env.n_subs += HTTP_SUBS_MAX;
    CHECK(strstr(ask(&p, METHOD_GET, NULL).trail, "was too busy to mirror to (next)") != NULL);
    p.r.env.n_subs -= HTTP_SUBS_MAX;
    CHECK_INT(p.copy.n_requests, 0);
    pair_end(&p);
}

static void a_share_of_the_requests_is_copied(void)
{
    struct pair p;
    pair_start(&p, NULL, 25);
    unsigned n_mirrored = 0;
    for (int i = 0; i < 200; i++)
        n_mirrored += strstr(ask(&p, METHOD_GET, NULL).trail, "mirrored to") != NULL;
    CHECK(n_mirrored > 30 && n_mirrored < 70);
    TURN_UNTIL(&p.r, p.copy.n_requests == n_mirrored);
    pair_end(&p);
}

TEST_MAIN(TEST(a_copy_goes_to_the_other_service_and_its_answer_nowhere),
          TEST(a_body_goes_along_when_all_of_it_was_read), TEST(too_large_a_body_is_not_copied),
          TEST(a_copy_leaves_half_of_its_memory_to_the_request), TEST(a_dead_mirror_does_no_harm),
          TEST(what_is_too_much_is_left_out), TEST(a_share_of_the_requests_is_copied))
