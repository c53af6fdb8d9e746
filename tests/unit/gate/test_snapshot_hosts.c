// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "unit/gate/built.h"

#define HEAD "entrypoints: { web: ':80', s: { listen: ':443', tls: on } }\nroutes:\n"
#define TO ", to: 'http://127.0.0.1:1' }\n"

// "name issuer" of each, separated by spaces.
static struct text hosts_of(const struct built *b)
{
    struct text t = {.ptr = NULL};
    for (const struct snapshot_host *h = b->s ? b->s->hosts : NULL; h; h = h->next)
        text_printf(&t, "%s" STR_FMT "%s" STR_FMT, t.len > 0 ? " " : "", STR_ARG(h->name),
                    h->issuer->n > 0 ? "=" : "",
                    STR_ARG(h->issuer->n > 0 ? h->issuer->items[0].text : STR_NONE));
    return t;
}

static void names_of_free_routes_are_found_once(void)
{
    static const struct {
        const char *yaml, *hosts;
    } cases[] = {
        {HEAD "  - { match: 'Host(`A.example`) && Path(`/x`)'" TO
              "  - { match: 'Host(`a.example`, `b.example`) || Host(`*.c.example`)'" TO,
         "a.example b.example *.c.example"},
        {HEAD "  - { match: 'HostRegexp(`^a`)'" TO "  - { match: 'Path(`/`)'" TO, ""},
        {HEAD "  - { match: 'Host(`a.example`)', entrypoints: [web]" TO, ""},
        {HEAD "  - { match: 'Host(`a.example`)', tls: { issuer: le }" TO, "a.example=le"},
        {HEAD "  - { match: 'Host(`a.example`)'" TO
              "  - { match: 'Host(`a.example`)', tls: { issuer: le }" TO,
         "a.example=le"},
        {HEAD "  - { match: 'Host(`a.example`, `x.b.example`, `c.example`, `d.example`)'" TO
              "sites:\n  a.example: 'http://127.0.0.1:1'\n  '*.b.example': 'http://127.0.0.1:1'\n"
              "  d.example: { tls: off, to: 'http://127.0.0.1:1' }\n",
         "c.example d.example"},
        {HEAD "  - { match: 'HostSNI(`a.example`)', passthrough: on, to: 'tcp://127.0.0.1:1' }\n",
         ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct built b = build(cases[i].yaml);
        struct text hosts = hosts_of(&b);
        CHECK(b.s != NULL);
        CHECK_STR(text_str(&hosts), str_of(cases[i].hosts));
        text_fini(&hosts);
        end(&b);
    }
}

static void what_an_issuer_cannot_do_is_told(void)
{
    static const struct {
        const char *yaml, *text;
        enum diag_severity severity;
    } cases[] = {
        {HEAD "  - { match: 'Host(`a.example`)', tls: { issuer: le }" TO
              "  - { match: 'Host(`a.example`)', tls: { issuer: local }" TO,
         "'a.example' has one certificate: here it is to be from 'local', in line 3 from 'le'",
         DIAG_ERROR},
        {HEAD "  - { match: 'Host(`a.example`)', tls: { issuer: [le, two] }" TO
              "  - { match: 'Host(`a.example`)', tls: { issuer: le }" TO,
         "here it is to be from 'le', in line 3 from 'le' and others", DIAG_ERROR},
        {HEAD "  - { match: 'Path(`/`)', tls: { issuer: le }" TO, "'issuer' does nothing here",
         DIAG_WARNING},
        {HEAD "  - { match: 'HostSNI(`a.example`)', passthrough: on, tls: { issuer: le }, to: "
              "'tcp://127.0.0.1:1' }\n",
         "the certificate are the server's own", DIAG_ERROR},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct built b = build(cases[i].yaml);
        bool is_told = false;
        for (size_t k = 0; k < b.diags.n; k++)
            is_told |= strstr(b.diags.items[k].text, cases[i].text) != NULL &&
                       b.diags.items[k].severity == cases[i].severity;
        CHECK(is_told);
        CHECK((b.s == NULL) == (cases[i].severity == DIAG_ERROR));
        end(&b);
    }
}

TEST_MAIN(TEST(names_of_free_routes_are_found_once), TEST(what_an_issuer_cannot_do_is_told))
