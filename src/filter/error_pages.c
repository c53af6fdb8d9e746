// SPDX-License-Identifier: Apache-2.0
// error-pages: other bodies for answers that tell of errors, a server's or our own. The status
// stays.
#include "base/ascii.h"
#include "filter/page_conf.h"
#include "filter/statuses.h"
#include "http/grpc.h"
#include "http/sub.h"

struct error_page_conf {
    struct conf_texts statuses;
    struct page_conf page;
    struct conf_text service, path;
    struct place place;
};

struct error_pages_conf {
    struct conf_list pages; // of error_page_conf
    unsigned of;            // enum whose
    int64_t timeout_ms;
    struct place place;
};

enum whose {
    OF_ALL,
    OF_SERVERS,
    OF_PROXY,
};
static const char *const of_names[] = {"all", "server", "proxy", NULL};

struct error_page {
    const struct error_page_conf *conf; // borrows: the snapshot's
    struct statuses statuses;
    const struct handler *service; // borrows: the snapshot's; NULL: none
};

struct error_pages {
    struct filter_base base;
    const struct error_pages_conf *conf; // borrows: the snapshot's
    struct error_page *pages;            // as many as in conf
};

static const struct conf_item page_items[] = {
    ITEM_TEXTS(error_page_conf, statuses, "statuses", .is_required = true, .since = "0.1",
               .apply = CONF_LIVE, .format = "status codes and ranges", .example = "[404, 500-599]",
               .doc = "The statuses that get this page."),
    PAGE_ITEMS(error_page_conf, page),
    ITEM_TEXT(error_page_conf, service, "service", .since = "0.1", .apply = CONF_LIVE,
              .format = "a service's name or a URL", .example = "http://10.0.0.9:8080",
              .doc = "A service that has the page. What it says with 200 is shown; where it says "
                     "something else, or nothing in time, the neutral page is."),
    ITEM_TEXT(error_page_conf, path, "path", .def = "/{status}.html", .since = "0.1",
              .apply = CONF_LIVE, .format = "a path", .example = "/errors/{status}.html",
              .doc = "With `service`: the path of the page there."),
};

static bool is_path(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is(s.ptr[i], ASCII_PCHAR) && s.ptr[i] != '{' && s.ptr[i] != '}' &&
            s.ptr[i] != '%')
            return false;
    return str_starts(s, STR("/"));
}

static enum err check_page(const void *value, struct diags *diags)
{
    const struct error_page_conf *c = value;
    if (c->service.text.len > 0 && page_is_own(&c->page))
        return diag_fail(diags, ERR_SYNTAX, c->place,
                         "'service' has the page, and so has 'file' or 'body': name one");
    if (!is_path(c->path.text))
        return diag_fail(diags, ERR_SYNTAX, c->path.place,
                         "'" STR_FMT "' is no path such as /errors/{status}.html",
                         STR_ARG(c->path.text));
    return page_check(&c->page, c->place, diags);
}

static const struct conf_section page_section = {
    .name = "error-page",
    .doc = "A page for some statuses. With neither `file`, `body` nor `service` it is the neutral "
           "one, with the request's id and nothing of the inside.",
    CONF_SECTION_OF(error_page_conf, page_items),
    .shorthand = "statuses",
    .place_offset = CONF_PLACE_AT(error_page_conf, place),
    .check = check_page,
};

static const struct conf_item items[] = {
    ITEM_LIST(error_pages_conf, pages, "pages", .section = &page_section, .since = "0.1",
              .apply = CONF_LIVE, .is_required = true,
              .example = "[{ statuses: 404, file: /etc/sallyport/404.html }, 500-599]",
              .doc = "The pages. The first that has a status counts."),
    ITEM_ENUM(error_pages_conf, of, "of", .names = of_names, .def = "all", .since = "0.1",
              .apply = CONF_LIVE, .doc = "Whose answers: a server's, the proxy's own, or both."),
    ITEM_DURATION(error_pages_conf, timeout_ms, "timeout", .def = "3s", .min = "100ms", .max = "1m",
                  .since = "0.1", .apply = CONF_LIVE,
                  .doc = "How long a service may take for its page."),
};

static const struct conf_section section = {
    .name = "error-pages",
    .doc = "Puts pages of one's own in the place of the bodies of answers that tell of errors. The "
           "status stays, and so do fields such as `Set-Cookie` and `WWW-Authenticate`. Answers to "
           "clients of gRPC and to requests for an upgrade are left alone.",
    CONF_SECTION_OF(error_pages_conf, items),
    .shorthand = "pages",
    .place_offset = CONF_PLACE_AT(error_pages_conf, place),
};

// The page for x's answer; NULL: it stays as it is.
static const struct error_page *page_for(const struct error_pages *f, const struct exchange *x)
{
    const struct response *r = &x->resp;
    if (LIKELY(r->status < STATUSES_FIRST) || x->req.is_upgrade || r->tunnel || grpc_is(x) ||
        (f->conf->of == OF_SERVERS && r->is_internal) ||
        (f->conf->of == OF_PROXY && !r->is_internal))
        return NULL;
    for (size_t i = 0; i < f->conf->pages.n; i++)
        if (statuses_have(&f->pages[i].statuses, r->status))
            return &f->pages[i];
    return NULL;
}

// Asks the service of a page. ERR_OK: *ret is its page, or ptr NULL where there is none.
static enum err fetch(const struct error_pages *f, const struct error_page *page,
                      struct exchange *x, struct page *ret)
{
    *ret = (struct page){.content_type = STR("text/html; charset=utf-8")};
    struct sub_request r = sub_request_to(x, page->service);
    r.method = STR("GET");
    r.path = page_fill(x, x->resp.status, page->conf->path.text);
    r.query = STR_NONE;
    r.has_query = false;
    r.timeout_ms = f->conf->timeout_ms;
    struct str accept = headers_get(&x->req.headers, FIELD_ACCEPT);
    if (!r.path.ptr || (accept.len > 0 && headers_add(&r.headers, FIELD_ACCEPT, accept) != ERR_OK))
        return ERR_OK;
    struct sub_answer a;
    switch (sub_ask(x, &r, &a)) {
    case SUB_CANCELLED:
        return ERR_CANCELLED;
    case SUB_FAILED:
        trail_add(&x->trail, f->base.who, "no page", a.why);
        return ERR_OK;
    case SUB_ANSWERED:
        break;
    }
    // What is coded needs a field that this client may not understand.
    bool is_plain = !headers_find(&a.headers, FIELD_CONTENT_ENCODING);
    if (a.status != 200 || a.is_cut || !is_plain) {
        trail_add(&x->trail, f->base.who, "no page", arena_printf(x->mem, "%u", a.status));
        return ERR_OK;
    }
    ret->body = a.body.len > 0 ? a.body : STR("");
    if (headers_find(&a.headers, FIELD_CONTENT_TYPE))
        ret->content_type = headers_get(&a.headers, FIELD_CONTENT_TYPE);
    return ERR_OK;
}

// Puts a page in the place of the body. The rest of the answer stays.
static enum err put(struct exchange *x, const struct page *p)
{
    struct response *r = &x->resp;
    struct body_bytes *b = ARENA_NEW(x->mem, struct body_bytes);
    if (!b)
        return filter_exhausted(x);
    body_fini(r->body);
    r->body = p->body.len > 0 ? body_bytes_init(b, p->body) : NULL;
    page_drop_content_fields(&r->headers);
    return headers_add(&r->headers, FIELD_CONTENT_TYPE, p->content_type) == ERR_OK
               ? ERR_OK
               : filter_exhausted(x);
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct error_pages *f = (const struct error_pages *)(const void *)h;
    enum err err = handler_serve(h->next, x);
    const struct error_page *page = err == ERR_OK ? page_for(f, x) : NULL;
    if (!page)
        return err;
    struct page p = {.body = STR_NONE};
    if (page->service)
        err = fetch(f, page, x, &p);
    if (err != ERR_OK)
        return err;
    if (!p.body.ptr)
        p = page_of(&page->conf->page, x, x->resp.status, STR_NONE, 0);
    if (!p.body.ptr)
        return filter_exhausted(x);
    filter_note(h, x, "put a page", p.content_type);
    return put(x, &p);
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct error_pages *f = (const struct error_pages *)(const void *)h;
    return arena_printf(x->mem, "%zu pages for errors of %s", f->conf->pages.n,
                        f->conf->of == OF_ALL     ? "servers and the proxy"
                        : f->conf->of == OF_PROXY ? "the proxy"
                                                  : "servers");
}

static const struct handler_type type = {.name = "error-pages", .serve = serve, .explain = explain};

static bool build_page(struct error_page *page, const struct error_page_conf *c,
                       const struct filter_env *env)
{
    page->conf = c;
    if (statuses_parse(&c->statuses, env->diags, &page->statuses) != ERR_OK)
        return false;
    if (c->service.text.len == 0)
        return true;
    page->service = env->services->find(env->services, &c->service);
    return page->service != NULL;
}

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct error_pages_conf *c = settings;
    struct error_pages *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    f->pages = (struct error_page *)arena_zalloc(env->mem, c->pages.n + 1, sizeof *f->pages,
                                                 alignof(struct error_page));
    if (!f->pages)
        return filter_no_memory(env);
    bool is_good = true;
    for (size_t i = 0; i < c->pages.n; i++)
        is_good = build_page(&f->pages[i], c->pages.items[i], env) && is_good;
    return is_good ? &f->base.handler : NULL;
}

const struct filter_type filter_error_pages = {
    .choice = {.key = "error-pages", .section = &section},
    .build = build,
};
