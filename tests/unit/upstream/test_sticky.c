// SPDX-License-Identifier: Apache-2.0
#include "upstream/sticky.h"

#include "unit/upstream/upstream_rig.h"
#include "upstream/worker.h"

static const uint8_t key[COOKIE_KEY_BYTES] = "a key of thirty-two bytes, or so";
static const uint8_t other_key[COOKIE_KEY_BYTES] = "another key of thirty-two bytes.";

static struct sticky_conf conf(void)
{
    return (struct sticky_conf){
        .is_on = true,
        .cookie.text = STR("route"),
        .path.text = STR("/"),
        .http_only = true,
    };
}

static void the_cookie_has_the_attributes_that_are_set(void)
{
    static const struct {
        struct sticky_conf conf;
        bool is_https;
        const char *wanted; // behind the token
    } cases[] = {
        {{.http_only = true}, false, "; Path=/; HttpOnly; SameSite=Lax"},
        {{.http_only = true}, true, "; Path=/; HttpOnly; SameSite=Lax; Secure"},
        {{.secure = STICKY_SECURE_ALWAYS}, false, "; Path=/; SameSite=Lax; Secure"},
        {{.secure = STICKY_SECURE_NEVER}, true, "; Path=/; SameSite=Lax"},
        {{.path.text = STR_INIT("/app"),
          .max_age_ms = 86400000,
          .same_site = STICKY_SAME_SITE_NONE},
         true,
         "; Path=/app; Max-Age=86400; SameSite=None; Secure"},
        {{.domain.text = STR_INIT("example.com"), .same_site = STICKY_SAME_SITE_UNSET},
         false,
         "; Path=/; Domain=example.com"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct diags diags = {.n = 0};
        struct sticky s;
        struct sticky_conf c = cases[i].conf;
        arena_init(&mem, 1 << 16, NULL, 0);
        c.is_on = true;
        c.cookie.text = STR("route");
        if (c.path.text.len == 0)
            c.path.text = STR("/");
        CHECK_INT(sticky_build(&c, STR("app"), &mem, &diags, &s), ERR_OK);
        struct exchange x = {.mem = &mem,
                             .req.scheme = str_of(cases[i].is_https ? "https" : "http")};
        headers_init(&x.resp.headers, &mem);
        char token[STICKY_TOKEN_CHARS];
        sticky_token(key, STR("app"), STR("10.0.0.1:80"), token);
        CHECK_INT(sticky_give(&s, &x, token), ERR_OK);
        struct str got = headers_get(&x.resp.headers, FIELD_SET_COOKIE);
        CHECK(str_starts(got, STR("route=")));
        CHECK_STR(str_skip(got, 6 + STICKY_TOKEN_CHARS), str_of(cases[i].wanted));
        diags_fini(&diags);
        arena_fini(&mem);
    }
}

static void wrong_settings_are_refused(void)
{
    static const struct sticky_conf cases[] = {
        {.cookie.text = STR_INIT("a b"), .path.text = STR_INIT("/")},
        {.cookie.text = STR_INIT("a;b"), .path.text = STR_INIT("/")},
        {.path.text = STR_INIT("app")},
        {.path.text = STR_INIT("/a;b")},
        {.path.text = STR_INIT("/"), .domain.text = STR_INIT("a b")},
        {.path.text = STR_INIT("/"),
         .same_site = STICKY_SAME_SITE_NONE,
         .secure = STICKY_SECURE_NEVER},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct diags diags = {.n = 0};
        struct sticky s;
        struct sticky_conf c = cases[i];
        c.is_on = true;
        arena_init(&mem, 1 << 16, NULL, 0);
        CHECK(sticky_build(&c, STR("app"), &mem, &diags, &s) != ERR_OK);
        CHECK_INT(diags.n_errors, 1);
        diags_fini(&diags);
        arena_fini(&mem);
    }
}

static void tokens_tell_apart_keys_services_and_members(void)
{
    char a[STICKY_TOKEN_CHARS], b[STICKY_TOKEN_CHARS];
    sticky_token(key, STR("app"), STR("10.0.0.1:80"), a);
    sticky_token(key, STR("app"), STR("10.0.0.1:80"), b);
    CHECK(memcmp(a, b, sizeof a) == 0);
    sticky_token(key, STR("app"), STR("10.0.0.2:80"), b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    sticky_token(key, STR("app1"), STR("0.0.0.1:80"), b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    sticky_token(other_key, STR("app"), STR("10.0.0.1:80"), b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    for (size_t i = 0; i < sizeof a; i++)
        CHECK((a[i] >= '0' && a[i] <= '9') || ((a[i] | 32) >= 'a' && (a[i] | 32) <= 'z') ||
              a[i] == '-' || a[i] == '_');
}

static void the_cookie_is_taken_out_and_the_others_stay(void)
{
    static const struct {
        const char *field, *shown, *left;
    } cases[] = {
        {"route=abc", "abc", NULL},
        {"a=1; route=abc; b=2", "abc", "a=1; b=2"},
        {"route=abc;b=2", "abc", "b=2"},
        {"a=1;b=2", "", "a=1;b=2"},
        {"xroute=1; routes=2", "", "xroute=1; routes=2"},
        {"route=first; route=second; c=3", "first", "c=3"},
        {"a=1;;  route = abc ;", "abc", "a=1"},
        {"route=", "", NULL},
        {"route", "", "route"},
        {"a=route=b", "", "a=route=b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct diags diags = {.n = 0};
        struct sticky s;
        struct sticky_conf c = conf();
        arena_init(&mem, 1 << 16, NULL, 0);
        CHECK_INT(sticky_build(&c, STR("app"), &mem, &diags, &s), ERR_OK);
        struct exchange x = {.mem = &mem};
        headers_init(&x.req.headers, &mem);
        CHECK_INT(headers_add(&x.req.headers, FIELD_COOKIE, str_of(cases[i].field)), ERR_OK);
        CHECK_STR(sticky_take(&s, &x), str_of(cases[i].shown));
        const struct field *f = headers_find(&x.req.headers, FIELD_COOKIE);
        CHECK_INT(f != NULL, cases[i].left != NULL);
        if (f && cases[i].left)
            CHECK_STR(f->value, str_of(cases[i].left));
        diags_fini(&diags);
        arena_fini(&mem);
    }
}

static void cookies_of_several_fields_are_all_kept(void)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    struct sticky s;
    struct sticky_conf c = conf();
    arena_init(&mem, 1 << 16, NULL, 0);
    CHECK_INT(sticky_build(&c, STR("app"), &mem, &diags, &s), ERR_OK);
    struct exchange x = {.mem = &mem};
    headers_init(&x.req.headers, &mem);
    CHECK_INT(headers_add(&x.req.headers, FIELD_COOKIE, STR("a=1")), ERR_OK);
    CHECK_INT(headers_add(&x.req.headers, FIELD_COOKIE, STR("route=abc; b=2")), ERR_OK);
    CHECK_STR(sticky_take(&s, &x), STR("abc"));
    CHECK_STR(headers_get(&x.req.headers, FIELD_COOKIE), STR("a=1; b=2"));
    diags_fini(&diags);
    arena_fini(&mem);
}

// --- with servers ---

struct pair {
    struct rig r;
    struct origin a, b;
};

static void pair_start(struct pair *p, uint32_t weight_a, bool has_key)
{
    rig_init(&p->r);
    p->r.conf.sticky = conf();
    if (has_key)
        upstream_registry_set_cookie_key(p->r.registry, key);
    rig_server(&p->r, origin_start(&p->a, "a", ORIGIN_ANSWERS)->url, weight_a);
    rig_server(&p->r, origin_start(&p->b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_build(&p->r);
}

static void pair_end(struct pair *p)
{
    origin_stop(&p->a);
    origin_stop(&p->b);
    rig_fini(&p->r);
}

// One request with this cookie; NULL: none.
static struct call ask(struct rig *r, const char *cookie)
{
    struct call c = {.r = r, .method = METHOD_GET, .cookie = cookie};
    call_start(&c);
    call_wait(&c);
    CHECK_INT(c.status, 200);
    return c;
}

// What a browser sends after that answer.
static const char *cookie_of(const struct call *c, char buf[static 64])
{
    CHECK(c->set_cookie[0] != '\0');
    snprintf(buf, 64, "%.*s", (int)strcspn(c->set_cookie, ";"), c->set_cookie);
    return buf;
}

static void a_client_stays_with_its_server_which_sees_nothing_of_it(void)
{
    struct pair p;
    char cookie[64], both[80];
    pair_start(&p, 1, true);
    struct call first = ask(&p.r, NULL);
    snprintf(both, sizeof both, "x=1; %s", cookie_of(&first, cookie));
    for (int i = 0; i < 4; i++) {
        struct call next = ask(&p.r, both);
        CHECK_STR(str_of(next.body), str_of(first.body));
        CHECK_STR(str_of(next.set_cookie), STR(""));
        CHECK(strstr(next.trail, "kept to") != NULL);
    }
    const struct origin *o = first.body[0] == 'a' ? &p.a : &p.b;
    CHECK(strstr(o->last, "route") == NULL);
    CHECK(strstr(o->last, "x=1") != NULL);
    pair_end(&p);
}

static void clients_without_a_good_cookie_are_shared_out_and_get_one(void)
{
    struct pair p;
    pair_start(&p, 1, true);
    static const char *const bad[] = {NULL, "route=", "route=AAAAAAAAAAAAAAAAAAAAAA",
                                      "route=10.0.0.1:80"};
    for (size_t i = 0; i < 2 * ARRAY_LEN(bad); i++) {
        struct call c = ask(&p.r, bad[i / 2]);
        CHECK(c.set_cookie[0] != '\0');
        CHECK(strstr(c.set_cookie, "127.0") == NULL);
    }
    CHECK_INT(p.a.n_requests, 4);
    CHECK_INT(p.b.n_requests, 4);
    pair_end(&p);
}

static void without_a_key_nobody_sticks(void)
{
    struct pair p;
    pair_start(&p, 1, false);
    CHECK_STR(str_of(ask(&p.r, "route=").set_cookie), STR(""));
    upstream_registry_set_cookie_key(p.r.registry, key);
    CHECK(ask(&p.r, NULL).set_cookie[0] != '\0');
    pair_end(&p);
}

static void a_reload_that_has_begun_to_stick_is_not_undone_by_older_exchanges(void)
{
    struct pair p;
    pair_start(&p, 1, true);
    struct handler *sticky = p.r.service;
    p.r.conf.sticky = (struct sticky_conf){.is_on = false};
    struct handler *plain = rig_build(&p.r);
    p.r.service = sticky;
    CHECK(ask(&p.r, NULL).set_cookie[0] != '\0');
    p.r.worker->generation++; // some name has got other addresses
    p.r.service = plain;
    CHECK_STR(str_of(ask(&p.r, NULL).set_cookie), STR(""));
    p.r.service = sticky;
    CHECK(ask(&p.r, NULL).set_cookie[0] != '\0');
    service_release(plain);
    pair_end(&p);
}

static void another_key_makes_old_cookies_worthless(void)
{
    struct pair p;
    char cookie[64];
    pair_start(&p, 1, true);
    struct call first = ask(&p.r, NULL);
    cookie_of(&first, cookie);
    upstream_registry_set_cookie_key(p.r.registry, other_key);
    struct call next = ask(&p.r, cookie);
    CHECK(next.set_cookie[0] != '\0');
    CHECK(strstr(next.set_cookie, cookie) == NULL);
    pair_end(&p);
}

static void a_server_of_weight_0_keeps_the_clients_it_has(void)
{
    struct pair p;
    char cookie[64] = "route=";
    pair_start(&p, 0, true);
    char name[64], token[STICKY_TOKEN_CHARS];
    snprintf(name, sizeof name, "%s", p.a.url + strlen("http://"));
    sticky_token(key, STR("app"), str_of(name), token);
    memcpy(cookie + 6, token, sizeof token);
    for (int i = 0; i < 3; i++) {
        CHECK_STR(str_of(ask(&p.r, cookie).body), STR("a"));
        CHECK_STR(str_of(ask(&p.r, NULL).body), STR("b"));
    }
    pair_end(&p);
}

static void when_its_server_is_gone_the_client_moves_once_and_stays_there(void)
{
    struct rig r;
    struct origin dead, b, c;
    char cookie[64] = "route=", token[STICKY_TOKEN_CHARS];
    rig_init(&r);
    r.conf.sticky = conf();
    upstream_registry_set_cookie_key(r.registry, key);
    rig_server(&r, origin_refuse(&dead)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_server(&r, origin_start(&c, "c", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    sticky_token(key, STR("app"), str_of(dead.url + strlen("http://")), token);
    memcpy(cookie + 6, token, sizeof token);
    struct call moved = ask(&r, cookie);
    CHECK_INT(moved.n_tries, 2);
    cookie_of(&moved, cookie);
    for (int i = 0; i < 3; i++) {
        struct call next = ask(&r, cookie);
        CHECK_STR(str_of(next.body), str_of(moved.body));
        CHECK_STR(str_of(next.set_cookie), STR(""));
    }
    close(dead.fd);
    origin_stop(&b);
    origin_stop(&c);
    rig_fini(&r);
}

TEST_MAIN(TEST(the_cookie_has_the_attributes_that_are_set), TEST(wrong_settings_are_refused),
          TEST(tokens_tell_apart_keys_services_and_members),
          TEST(the_cookie_is_taken_out_and_the_others_stay),
          TEST(cookies_of_several_fields_are_all_kept),
          TEST(a_client_stays_with_its_server_which_sees_nothing_of_it),
          TEST(clients_without_a_good_cookie_are_shared_out_and_get_one),
          TEST(without_a_key_nobody_sticks),
          TEST(a_reload_that_has_begun_to_stick_is_not_undone_by_older_exchanges),
          TEST(another_key_makes_old_cookies_worthless),
          TEST(a_server_of_weight_0_keeps_the_clients_it_has),
          TEST(when_its_server_is_gone_the_client_moves_once_and_stays_there))
