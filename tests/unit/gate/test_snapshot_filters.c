// SPDX-License-Identifier: Apache-2.0
#include "gate/routing.h"
#include "unit/gate/built.h"

// The names of a chain, joined by spaces.
static struct str names_of(struct built *b, const struct handler *h)
{
    struct str all = STR("");
    for (; h; h = h->next)
        all = arena_concat(&b->mem, all, STR(" "), h->name);
    return all;
}

static void chains_of_entrypoints_end_with_the_router(void)
{
    struct built b = build("entrypoints:\n"
                           "  one: { listen: ':1', use: [security-headers, b] }\n"
                           "  two: ':2'\n"
                           "filters: { b: { respond: x } }\n");
    CHECK(b.s != NULL);
    if (b.s) {
        CHECK_STR(names_of(&b, b.s->entry_chains[0]), STR(" security-headers b router"));
        CHECK(b.s->entry_chains[1] == &routing_handler);
    }
    end(&b);
}

static void an_entry_of_the_settings_goes_before_a_preset(void)
{
    struct built b = build("filters: { security-headers: { respond: x } }\n"
                           "routes: [{ match: PathPrefix(`/`), use: [security-headers] }]\n");
    CHECK(b.s != NULL);
    if (b.s)
        CHECK_STR(str_of(b.s->routes[0].handler->type->name), STR("respond"));
    end(&b);
}

static void wrong_names_are_told(void)
{
    static const struct {
        const char *yaml, *text;
    } cases[] = {
        {"entrypoints: { a: { listen: ':1', use: [b] } }", "no filter 'b'"},
        {"sites: { a.example: { use: [respond] } }", "no filter 'respond'"},
        {"entrypoints: { a: { listen: ':1', protocol: tcp, use: [security-headers] } }",
         "no requests to filter"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct built b = build(cases[i].yaml);
        CHECK(b.s == NULL && b.diags.n > 0);
        CHECK(b.diags.n > 0 && strstr(b.diags.items[0].text, cases[i].text));
        end(&b);
    }
}

TEST_MAIN(TEST(chains_of_entrypoints_end_with_the_router),
          TEST(an_entry_of_the_settings_goes_before_a_preset), TEST(wrong_names_are_told))
