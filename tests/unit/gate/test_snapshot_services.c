// SPDX-License-Identifier: Apache-2.0
#include "gate/snapshot_priv.h"
#include "unit/test.h"
#include "upstream/service.h"

struct fixture {
    struct snapshot s;
    struct snapshot_env env;
    struct diags diags;
    struct builder b;
    struct filter_env filter;
};

static const struct place here = {.source = "test.yaml", .line = 3, .column = 7};

static void begin(struct fixture *f)
{
    *f = (struct fixture){.env.registry = upstream_registry_new()};
    arena_init(&f->s.mem, 1 << 20, NULL, 0);
    f->b = (struct builder){.s = &f->s, .env = &f->env, .diags = &f->diags};
    struct conf_text url = {.text = STR("http://10.0.0.9:80"), .place = here};
    const struct conf_texts to = {.items = &url, .n = 1};
    map_set(&f->s.services, STR("auth"), (void *)(uintptr_t)snapshot_service_of(&f->b, &to));
    f->filter = snapshot_filter_env(&f->b);
}

static void end(struct fixture *f)
{
    for (size_t i = 0; i < f->s.all_services.n; i++)
        service_release(f->s.all_services.items[i]);
    map_fini(&f->s.services);
    map_fini(&f->b.asked);
    diags_fini(&f->diags);
    arena_fini(&f->s.mem);
    upstream_registry_free(f->env.registry);
}

static const struct handler *find(struct fixture *f, const char *to)
{
    const struct conf_text text = {.text = str_of(to), .place = here};
    return f->filter.services->find(f->filter.services, &text);
}

static void a_filter_finds_services_by_name(void)
{
    struct fixture f;
    begin(&f);
    const struct handler *h = find(&f, "auth");
    CHECK(h != NULL && h == map_get(&f.s.services, STR("auth")));
    CHECK_INT(f.diags.n, 0);
    end(&f);
}

static void the_same_url_is_the_same_service(void)
{
    struct fixture f;
    begin(&f);
    const struct handler *h = find(&f, "http://127.0.0.1:9091");
    CHECK(h != NULL);
    CHECK(find(&f, "http://127.0.0.1:9091") == h);
    CHECK(find(&f, "http://127.0.0.1:9092") != h);
    CHECK_INT(f.s.all_services.n, 3);
    end(&f);
}

static void what_cannot_be_asked_is_an_error_at_its_place(void)
{
    static const char *const cases[][2] = {
        {"nowhere", "there is no service 'nowhere'"},
        {"http://a b", "malformed"},
        {"tcp://10.0.0.1:5432",
         "'tcp://10.0.0.1:5432' has servers for TCP routes (tcp://), and the "
         "filter makes requests"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        begin(&f);
        CHECK(find(&f, cases[i][0]) == NULL);
        CHECK_INT(f.diags.n, 1);
        CHECK(f.diags.n == 1 && strstr(f.diags.items[0].text, cases[i][1]));
        CHECK(f.diags.n == 1 && f.diags.items[0].place.line == 3);
        end(&f);
    }
}

TEST_MAIN(TEST(a_filter_finds_services_by_name), TEST(the_same_url_is_the_same_service),
          TEST(what_cannot_be_asked_is_an_error_at_its_place))
