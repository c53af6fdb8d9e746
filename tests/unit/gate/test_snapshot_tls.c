// SPDX-License-Identifier: Apache-2.0
#include "unit/gate/built.h"

#define ENTRIES                                                                                    \
    "entrypoints:\n"                                                                               \
    "  plain: { listen: ':80' }\n"                                                                 \
    "  first: { listen: ':8443', tls: on }\n"                                                      \
    "  second: { listen: ':9443', tls: { min: '1.3', strict-sni: on, handshake-timeout: 3s } }\n"

static bool is_told(const struct built *b, const char *text)
{
    for (size_t i = 0; i < b->diags.n; i++) {
        if (strstr(b->diags.items[i].text, text))
            return true;
        printf("# %s\n", b->diags.items[i].text);
    }
    return false;
}

// The policy that a name has of its own at an entrypoint.
static const struct tls_policy *own(const struct built *b, unsigned entry, const char *name)
{
    return map_get(&b->s->doors[entry].policies, str_of(name));
}

static void entrypoints_with_tls_have_a_policy_and_others_none(void)
{
    struct built b = build(ENTRIES);
    CHECK(b.s != NULL);
    if (b.s) {
        CHECK(!b.s->doors[0].policy && !b.s->entries[0].is_tls);
        CHECK(b.s->doors[1].policy && b.s->entries[1].is_tls);
        CHECK(b.s->doors[2].policy && b.s->doors[2].policy != b.s->doors[1].policy);
        CHECK(!b.s->doors[1].strict_sni && b.s->doors[2].strict_sni);
        CHECK_INT(b.s->doors[1].handshake_ms, 10000);
        CHECK_INT(b.s->doors[2].handshake_ms, 3000);
    }
    end(&b);
}

static void without_tls_there_is_no_door(void)
{
    struct built b = build("entrypoints: { web: ':80' }\n"
                           "sites: { a.example: 'http://127.0.0.1:1' }\n");
    CHECK(b.s && !b.s->doors && b.s->n_policies == 0);
    if (b.s)
        CHECK_INT(b.s->sites[0].tls_entries, 0);
    end(&b);
}

static void a_site_says_what_is_different_from_its_entrypoint(void)
{
    struct built b =
        build(ENTRIES "sites:\n"
                      "  a.example: 'http://127.0.0.1:1'\n"
                      "  b.example:\n"
                      "    aliases: [www.b.example, '*.b.example']\n"
                      "    to: 'http://127.0.0.1:1'\n"
                      "    tls: { tickets: off }\n"
                      "  c.example: { to: 'http://127.0.0.1:1', tls: { min: '1.3' } }\n"
                      "  d.example: { to: 'http://127.0.0.1:1', tls: { min: '1.3' } }\n"
                      "  e.example: { to: 'http://127.0.0.1:1',\n"
                      "    tls: { certificates: [e.pem] } }\n");
    CHECK(b.s != NULL);
    if (b.s) {
        CHECK(!own(&b, 1, "a.example") && !own(&b, 2, "a.example"));
        CHECK(own(&b, 1, "b.example") && own(&b, 2, "b.example"));
        CHECK(own(&b, 1, "b.example") != own(&b, 2, "b.example"));
        CHECK(own(&b, 1, "www.b.example") == own(&b, 1, "b.example"));
        CHECK(own(&b, 1, "*.b.example") == own(&b, 1, "b.example"));
        CHECK(own(&b, 1, "c.example") && own(&b, 1, "c.example") == own(&b, 1, "d.example"));
        CHECK(own(&b, 1, "c.example") == b.s->doors[2].policy); // they say the same
        CHECK(!own(&b, 2, "c.example"));                        // as the entrypoint does
        CHECK(!own(&b, 1, "e.example"));
        CHECK_INT(b.s->sites[1].n_names, 3);
        CHECK_INT(b.s->sites[0].tls_entries, 6);
    }
    end(&b);
}

static void a_route_says_what_is_different_for_its_names(void)
{
    struct built b = build(
        ENTRIES "routes:\n"
                "  - match: Host(`a.example`) || Host(`b.example`)\n"
                "    tls: { min: '1.3' }\n"
                "    to: http://127.0.0.1:1\n"
                "  - { match: Host(`a.example`) && Path(`/x`), tls: { issuer: local }, to: "
                "'http://127.0.0.1:1' }\n"
                "  - { match: Host(`a.example`) && Path(`/y`), tls: { min: '1.3' }, to: "
                "'http://127.0.0.1:1' }\n"
                "  - { match: Host(`c.example`), to: 'http://127.0.0.1:1' }\n"
                "  - { match: Host(`d.example`), tls: { tickets: off }, entrypoints: [second], to: "
                "'http://127.0.0.1:1' }\n");
    CHECK(b.s != NULL);
    if (b.s) {
        CHECK(own(&b, 1, "a.example") && own(&b, 1, "a.example") == own(&b, 1, "b.example"));
        CHECK(own(&b, 1, "a.example") != b.s->doors[1].policy);
        CHECK(own(&b, 2, "a.example") == b.s->doors[2].policy); // they say the same
        CHECK(!own(&b, 1, "c.example") && !own(&b, 1, "d.example") && own(&b, 2, "d.example"));
    }
    end(&b);
}

// Whom the chain of a site's only route begins with.
static const char *first_of(const struct built *b, size_t site)
{
    return b->s->routes[site].handler->type->name;
}

static void sites_with_tls_redirect_unless_told_otherwise(void)
{
    struct built b = build(
        ENTRIES "sites:\n"
                "  a.example: 'http://127.0.0.1:1'\n"
                "  b.example: { to: 'http://127.0.0.1:1', redirect-to-https: off }\n"
                "  c.example: { to: 'http://127.0.0.1:1', tls: off }\n"
                "  d.example: { to: 'http://127.0.0.1:1', entrypoints: [plain] }\n"
                "  e.example: { to: 'http://127.0.0.1:1', redirect-to-https: off, hsts: on }\n");
    CHECK(b.s != NULL);
    if (b.s) {
        CHECK_STR(str_of(first_of(&b, 0)), STR("redirect-to-https"));
        CHECK(b.s->routes[1].handler->next == NULL);
        CHECK(b.s->routes[2].handler->next == NULL);
        CHECK(b.s->routes[3].handler->next == NULL);
        CHECK_STR(str_of(first_of(&b, 4)), STR("hsts"));
        CHECK_INT(b.s->routes[0].entries, 7);
        CHECK_INT(b.s->routes[2].entries, 1);
    }
    end(&b);
}

static void mistakes_are_told_with_their_place(void)
{
    static const struct {
        const char *yaml, *text;
    } cases[] = {
        {"entrypoints: { s: { listen: ':1', tls: { min: '1.1' } } }\n", "tls.min"},
        {"entrypoints: { s: { listen: ':1', tls: { min: '1.3', max: '1.2' } } }\n", "newer"},
        {"entrypoints: { s: { listen: ':1', tls: { ciphers: [RC4] } } }\n", "RC4"},
        {"entrypoints: { s: { listen: ':1', tls: { client-auth: require } } }\n", "client-ca"},
        {"entrypoints: { s: { listen: ':1', tls: { max: '1.2' } } }\n"
         "sites: { a.example: { to: 'http://a:1', tls: { min: '1.3' } } }\n",
         "newer"},
        {"entrypoints: { s: { listen: ':1', tls: { max: '1.2' } } }\n"
         "routes: { match: Host(`a`), to: 'http://a:1', tls: { min: '1.3' } }\n",
         "newer"},
        {"entrypoints: { s: { listen: ':1', tls: on } }\n"
         "routes: { match: Path(`/a`), to: 'http://a:1', tls: { min: '1.3' } }\n",
         "'min' would do nothing"},
        {"entrypoints: { s: { listen: ':1', tls: on } }\n"
         "routes: [{ match: Host(`a`), to: 'http://a:1', tls: { min: '1.3' } },\n"
         "  { match: Host(`a`) && Path(`/`), to: 'http://a:1', tls: { tickets: off } }]\n",
         "another route says other things"},
        {"entrypoints: { s: { listen: ':1', tls: on } }\n"
         "routes: { match: HostSNI(`a`), passthrough: on, to: 'tcp://a:1', tls: { min: '1.3' } }\n",
         "untouched: its TLS"},
        {"entrypoints: { s: { listen: ':1', tls: on } }\n"
         "sites: { a.example: { to: 'http://a:1', tls: off } }\n",
         "all its entrypoints speak TLS"},
        {"sites: { a.example: { to: 'http://a:1', hsts: { preload: on } } }\n", "include-sub"},
        {"state: here\n", "absolute"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct built b = build(cases[i].yaml);
        CHECK(!b.s);
        CHECK(is_told(&b, cases[i].text));
        CHECK(b.diags.n > 0 && b.diags.items[0].place.line > 0);
        end(&b);
    }
}

static void words_about_tls_that_do_nothing_are_told(void)
{
    struct built b = build("entrypoints: { web: ':80' }\n"
                           "sites: { a.example: { to: 'http://127.0.0.1:1', hsts: on } }\n");
    CHECK(b.s != NULL);
    CHECK(is_told(&b, "does nothing"));
    end(&b);
}

TEST_MAIN(TEST(entrypoints_with_tls_have_a_policy_and_others_none),
          TEST(without_tls_there_is_no_door),
          TEST(a_site_says_what_is_different_from_its_entrypoint),
          TEST(a_route_says_what_is_different_for_its_names),
          TEST(sites_with_tls_redirect_unless_told_otherwise),
          TEST(mistakes_are_told_with_their_place), TEST(words_about_tls_that_do_nothing_are_told))
