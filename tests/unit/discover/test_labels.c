// SPDX-License-Identifier: Apache-2.0
#include "discover/labels.h"

#include "gate/settings.h"
#include "unit/discover/shapes.h"
#include "unit/test.h"

struct fixture {
    struct arena mem;
    struct diags diags;
    struct container c;
    struct reach reach;
    struct conf_node *tree;
    struct settings settings;
};

// Reads labels, and what comes of them as settings.
static void begin(struct fixture *f, const char *labels)
{
    *f = (struct fixture){.tree = NULL};
    arena_init(&f->mem, 16 << 20, NULL, 0);
    f->c = shape_with("web", labels, &f->mem);
}

static bool read(struct fixture *f)
{
    const struct labels_env env = {
        .reach = &f->reach, .exposed_by_default = true, .mem = &f->mem, .diags = &f->diags};
    f->tree = labels_read(&f->c, &env);
    return f->tree &&
           conf_read(&settings_section, f->tree, NULL, &f->mem, &f->diags, &f->settings) == ERR_OK;
}

static void end(struct fixture *f)
{
    diags_fini(&f->diags);
    arena_fini(&f->mem);
}

static const struct conf_node *node_at(const struct fixture *f, const char *kind, const char *name)
{
    const struct conf_node *map = conf_node_get(f->tree, str_of(kind));
    return map ? conf_node_get(map, str_of(name)) : NULL;
}

// The URL of the first server of a service, or "".
static struct str url_of(const struct fixture *f, const char *service)
{
    const struct conf_node *node = node_at(f, "services", service);
    const struct conf_node *servers = node ? conf_node_get(node, STR("servers")) : NULL;
    return servers && servers->first ? conf_node_get(servers->first, STR("url"))->text : STR_NONE;
}

static void a_site_and_a_port_are_enough(void)
{
    struct fixture f;
    begin(&f, "sallyport.site=app.example.com, www.example.com\nsallyport.to=8080\n"
              "sallyport.weight=3\nother=x");
    CHECK(read(&f));
    CHECK_INT(f.settings.sites.n, 1);
    CHECK_STR(f.settings.sites.items[0].name, STR("app.example.com"));
    const struct site_conf *site = f.settings.sites.items[0].value;
    CHECK_INT(site->aliases.n, 1);
    CHECK_STR(site->aliases.items[0].text, STR("www.example.com"));
    CHECK_STR(site->to.items[0].text, STR("app.example.com@docker"));
    CHECK_STR(url_of(&f, "app.example.com@docker"), STR("http://172.17.0.2:8080"));
    CHECK_INT(f.diags.n, 0);
    end(&f);
}

static void the_port_is_the_only_one_or_the_lowest(void)
{
    struct fixture f;
    begin(&f, "sallyport.site=a.example");
    CHECK(read(&f));
    CHECK_STR(url_of(&f, "a.example@docker"), STR("http://172.17.0.2:80"));
    CHECK_INT(f.diags.n, 0);
    end(&f);
    begin(&f, "sallyport.site=a.example");
    f.c.ports[f.c.n_ports++] = (struct container_port){.port = 443};
    CHECK(read(&f));
    CHECK_INT(f.diags.n, 1); // S0-21: it is told
    CHECK(f.diags.n == 1 && f.diags.items[0].severity == DIAG_WARNING);
    end(&f);
}

static void schemes_paths_and_settings_go_along(void)
{
    struct fixture f;
    begin(&f, "sallyport.site=a.example\nsallyport.to=https://:8443\nsallyport.path=/api\n"
              "sallyport.site.use=security-headers, limit\n"
              "sallyport.service.balance=least-connections\n"
              "sallyport.service.health.path=/healthz\n"
              "sallyport.filters.limit.rate-limit={ rate: 10/s }");
    CHECK(read(&f));
    CHECK_STR(url_of(&f, "a.example/api@docker"), STR("https://172.17.0.2:8443"));
    const struct site_conf *site = f.settings.sites.items[0].value;
    CHECK_INT(site->to.n, 0);
    CHECK_INT(site->routes.n, 1);
    const struct site_route_conf *route = site->routes.items[0];
    CHECK_STR(route->match.text, STR("PathPrefix(`/api`)"));
    CHECK_STR(route->to.items[0].text, STR("a.example/api@docker"));
    CHECK_INT(site->use.n, 2);
    CHECK(node_at(&f, "filters", "limit@docker") != NULL);
    end(&f);
}

static void sites_with_dots_are_told_from_their_settings(void)
{
    struct fixture f;
    begin(&f, "sallyport.sites.a.example.com.to=8080\n"
              "sallyport.sites.a.example.com.tls.min=1.3\n"
              "sallyport.sites.tls.example.com.to=http://10.0.0.1:1\n"
              "sallyport.routes.r.match=Host(`b.example`)\nsallyport.routes.r.to=9090");
    CHECK(read(&f));
    CHECK_INT(f.settings.sites.n, 2);
    CHECK_STR(f.settings.sites.items[0].name, STR("a.example.com"));
    CHECK_STR(f.settings.sites.items[1].name, STR("tls.example.com"));
    CHECK_STR(url_of(&f, "a.example.com@docker"), STR("http://172.17.0.2:8080"));
    CHECK_STR(url_of(&f, "r@docker"), STR("http://172.17.0.2:9090"));
    CHECK_INT(f.settings.routes.n, 1);
    end(&f);
}

static void a_container_that_isnt_ready_keeps_its_site_without_a_server(void)
{
    struct fixture f;
    begin(&f, "sallyport.site=a.example");
    f.c.health = CONTAINER_HEALTH_STARTING;
    CHECK(read(&f));
    CHECK_INT(f.settings.sites.n, 1);
    CHECK_STR(url_of(&f, "a.example@docker"), STR(""));
    end(&f);
}

static void whoever_isnt_exposed_says_nothing(void)
{
    static const char *const cases[] = {"", "other.site=a.example",
                                        "sallyport.enable=false\nsallyport.site=a.example",
                                        "sallyport.enable=No\nsallyport.nonsense=1"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        begin(&f, cases[i]);
        CHECK(!read(&f));
        CHECK_INT(f.diags.n, 0);
        end(&f);
    }
}

static void mistakes_name_the_container_and_the_label(void)
{
    static const struct {
        const char *labels, *source, *text;
    } cases[] = {
        {"sallyport.sit=a.example", "container web, label sallyport.sit",
         "did you mean sallyport.site?"},
        {"sallyport.site=", "container web, label sallyport.site", "names no site"},
        {"sallyport.site=a.example\nsallyport.to=http", "container web, label sallyport.to",
         "not a port of the container"},
        {"sallyport.site=a.example\nsallyport.to=70000", "container web, label sallyport.to",
         "allowed: 1 to 65535"},
        {"sallyport.to=80", "container web, label sallyport.to", "no label sallyport.site"},
        {"sallyport.site=a.example\nsallyport.path=`x`", "container web, label sallyport.path",
         "not a path"},
        {"sallyport.site=a.example\nsallyport.site.usee=x",
         "container web, label sallyport.site.usee", "did you mean 'use'?"},
        {"sallyport.site=a.example\nsallyport.network=db", "container web, label sallyport.network",
         "no address in the network 'db'"},
        {"sallyport.site=a.example\nsallyport.enable=maybe",
         "container web, label sallyport.enable", "neither true nor false"},
        {"sallyport.sites.a.example.nothing=x",
         "container web, label sallyport.sites.a.example."
         "nothing",
         "names no setting of a site"},
        {"sallyport.entrypoints.web.listen=:80",
         "container web, label sallyport.entrypoints.web."
         "listen",
         "belongs to the machine"},
        {"sallyport.user=root", "container web, label sallyport.user", "belongs to the machine"},
        {"sallyport.services.api@internal.balance=first",
         "container web, label sallyport.services.api@internal.balance", "a name has no '@'"},
        {"sallyport.services.=x", "container web, label sallyport.services.", "name is missing"},
        {"sallyport.service.balance=x", "container web, label sallyport.service.balance",
         "no label sallyport.site"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        begin(&f, cases[i].labels);
        CHECK(!read(&f));
        CHECK_INT(f.diags.n, 1);
        if (f.diags.n == 1) {
            CHECK_STR(str_of(f.diags.items[0].place.source), str_of(cases[i].source));
            if (!strstr(f.diags.items[0].text, cases[i].text))
                printf("# case %zu: %s\n", i, f.diags.items[0].text);
            CHECK(strstr(f.diags.items[0].text, cases[i].text));
            CHECK_STR(labels_container_of(f.diags.items[0].place.source), STR("web"));
        }
        end(&f);
    }
}

TEST_MAIN(TEST(a_site_and_a_port_are_enough), TEST(the_port_is_the_only_one_or_the_lowest),
          TEST(schemes_paths_and_settings_go_along),
          TEST(sites_with_dots_are_told_from_their_settings),
          TEST(a_container_that_isnt_ready_keeps_its_site_without_a_server),
          TEST(whoever_isnt_exposed_says_nothing), TEST(mistakes_name_the_container_and_the_label))
