// SPDX-License-Identifier: Apache-2.0
// Builds a filter from YAML, as the gate would, in front of a server that is made up.
#pragma once

#include "conf/conf.h"
#include "conf/node.h"
#include "filter/filter.h"
#include "filter/states.h"
#include "rt/fiber.h"
#include "unit/route/fixture.h"

// The handler behind: keeps what it saw and answers 200, or what is set, with the fields given.
struct mock_server {
    struct handler handler;
    const char *const *fields; // name, value, …, NULL; may be NULL
    unsigned status;           // 0: 200
    int64_t wait_ms;           // before it answers; on a fiber
    struct body *body;         // instead of "served"; NULL: none
    enum exchange_end end;     // not OK: it can't be reached, and the answer is the proxy's
    unsigned n_served;
    struct str path;
    struct headers headers; // of the request; lives as long as the exchange
};

static inline enum err mock_serve(const struct handler *h, struct exchange *x)
{
    struct mock_server *s = (struct mock_server *)(uintptr_t)h;
    s->n_served++;
    s->path = x->req.path;
    s->headers = x->req.headers;
    x->server_name = STR("10.0.0.9:8080");
    unsigned status = s->status > 0 ? s->status : 200;
    if (s->wait_ms > 0 && fiber_sleep(s->wait_ms) == FIBER_CANCELLED)
        return ERR_CANCELLED;
    if (s->end != EXCHANGE_END_OK) {
        exchange_fail(x, status, s->end, "secret");
        return ERR_OK;
    }
    CHECK_INT(exchange_respond(x, status, STR("text/plain"), STR("served")), ERR_OK);
    x->resp.is_internal = s->status == 0 && !s->body;
    x->resp.body = s->body ? s->body : x->resp.body;
    for (const char *const *f = s->fields; f && *f; f += 2)
        CHECK_INT(headers_add_named(&x->resp.headers, str_of(f[0]), str_of(f[1])), ERR_OK);
    return ERR_OK;
}

static const struct handler_type mock_type = {.name = "mock", .serve = mock_serve};

// Where a filter asks by itself: the service "auth", and any URL.
struct mock_services {
    struct filter_services services;
    struct handler *handler; // borrows; NULL: there is none
    struct str asked;        // the text of the last one that was looked for
};

static inline const struct handler *mock_find(struct filter_services *s, const struct conf_text *to)
{
    struct mock_services *m = CONTAINER_OF(s, struct mock_services, services);
    m->asked = to->text;
    return m->handler;
}

struct filter_fixture {
    struct mock_services services;
    struct arena mem;
    struct diags diags;
    struct mock_server server;
    struct filter_states *states;
    const struct filter_type *type;
    struct handler *filter; // NULL: refused, diags tell why
};

// asked: the service that the filter asks by itself.
static inline void filter_start_asking(struct filter_fixture *f, const struct filter_type *type,
                                       const char *yaml, struct offload *offload,
                                       struct handler *asked)
{
    *f = (struct filter_fixture){
        .server.handler.type = &mock_type, .type = type, .states = filter_states_new()};
    f->services = (struct mock_services){.services.find = mock_find, .handler = asked};
    arena_init(&f->mem, 4 << 20, NULL, 0);
    const struct conf_section *section = type->choice.section;
    void *settings = arena_zalloc(&f->mem, 1, section->bytes, section->align);
    struct conf_node *node = conf_yaml_parse(str_of(yaml), "test.yaml", &f->mem, &f->diags);
    const struct filter_env env = {.mem = &f->mem,
                                   .diags = &f->diags,
                                   .offload = offload,
                                   .states = f->states,
                                   .services = &f->services.services};
    CHECK(settings != NULL && node != NULL);
    if (settings && node && conf_read(section, node, NULL, &f->mem, &f->diags, settings) == ERR_OK)
        f->filter = type->build(STR("it"), settings, &f->server.handler, &env);
    CHECK((f->filter == NULL) == (f->diags.n_errors > 0));
}

static inline void filter_start(struct filter_fixture *f, const struct filter_type *type,
                                const char *yaml, struct offload *offload)
{
    static struct handler nobody = {.type = &mock_type, .name = STR_INIT("nobody")};
    filter_start_asking(f, type, yaml, offload, &nobody);
}

// Another use of that filter, by the same name, with these settings. The caller ends it.
static inline struct handler *filter_once_more(struct filter_fixture *f, const char *yaml,
                                               struct handler *next)
{
    const struct conf_section *section = f->type->choice.section;
    void *settings = arena_zalloc(&f->mem, 1, section->bytes, section->align);
    struct conf_node *node = conf_yaml_parse(str_of(yaml), "test.yaml", &f->mem, &f->diags);
    const struct filter_env env = {.mem = &f->mem, .diags = &f->diags, .states = f->states};
    CHECK_INT(conf_read(section, node, NULL, &f->mem, &f->diags, settings), ERR_OK);
    return f->type->build(STR("it"), settings, next, &env);
}

static inline void filter_end(struct filter_fixture *f)
{
    if (f->filter && f->filter->type->fini)
        f->filter->type->fini(f->filter);
    filter_states_free(f->states);
    diags_fini(&f->diags);
    arena_fini(&f->mem);
}

// The tables of a filter are complete and agree with themselves.
static inline void filter_check_tables(const struct filter_type *type)
{
    struct diags diags = {.n = 0};
    enum err err = conf_check_tables(type->choice.section, &diags);
    for (size_t i = 0; i < diags.n; i++)
        printf("# %s\n", diags.items[i].text);
    CHECK_INT(err, ERR_OK);
    diags_fini(&diags);
}

// Each of these settings is refused with a message that has the text.
struct refused_case {
    const char *yaml, *text;
};

static inline void filter_check_refused(const struct filter_type *type,
                                        const struct refused_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct filter_fixture f;
        filter_start(&f, type, cases[i].yaml, NULL);
        bool is_as_wanted =
            !f.filter && f.diags.n > 0 && strstr(f.diags.items[0].text, cases[i].text);
        if (!is_as_wanted)
            printf("# %s: %s\n", cases[i].yaml, f.diags.n > 0 ? f.diags.items[0].text : "accepted");
        CHECK(is_as_wanted);
        filter_end(&f);
    }
}
