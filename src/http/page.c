// SPDX-License-Identifier: Apache-2.0
#include "http/page.h"

#include "http/status.h"

static bool accepts(const struct exchange *x, const char *type)
{
    const struct headers *h = &x->req.headers;
    for (const struct field *f = headers_find(h, FIELD_ACCEPT); f; f = headers_next(h, f))
        if (f->id == FIELD_ACCEPT && str_search(f->value, str_of(type)) != STR_NPOS)
            return true;
    return false;
}

enum page_kind page_kind_of(const struct exchange *x)
{
    if (accepts(x, "text/html"))
        return PAGE_HTML;
    return accepts(x, "application/json") || accepts(x, "+json") ? PAGE_JSON : PAGE_TEXT;
}

static const char html[] =
    "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">" STR_FMT
    "<title>%u %s</title>\n"
    "<style>body{font:16px/1.5 sans-serif;margin:15vh auto;max-width:36em;padding:0 1em;"
    "color:#333;background:#fff}p{color:#777}</style></head>\n"
    "<body><h1>%u %s</h1>\n" STR_FMT "<p>Request " STR_FMT "</p></body>\n</html>\n";

static struct str make_html(struct exchange *x, unsigned status, struct str text, unsigned reload_s,
                            struct str id)
{
    const char *reason = http_reason(status);
    struct str reload = STR_NONE, said = STR_NONE;
    if (reload_s > 0)
        reload = arena_printf(x->mem, "<meta http-equiv=\"refresh\" content=\"%u\">", reload_s);
    if (text.len > 0)
        said = arena_printf(x->mem, "<p>" STR_FMT "</p>\n", STR_ARG(text));
    return arena_printf(x->mem, html, STR_ARG(reload), status, reason, status, reason,
                        STR_ARG(said), STR_ARG(id));
}

struct page page_neutral(struct exchange *x, unsigned status, struct str text, unsigned reload_s)
{
    const char *reason = http_reason(status);
    struct str id = x->request_id.len > 0 ? x->request_id : STR("-");
    struct page p = {.content_type = STR("text/plain; charset=utf-8")};
    switch (page_kind_of(x)) {
    case PAGE_HTML:
        p.content_type = STR("text/html; charset=utf-8");
        p.body = make_html(x, status, text, reload_s, id);
        break;
    case PAGE_JSON:
        p.content_type = STR("application/json");
        p.body =
            arena_printf(x->mem, "{\"status\":%u,\"error\":\"%s\",\"request\":\"" STR_FMT "\"}\n",
                         status, reason, STR_ARG(id));
        break;
    case PAGE_TEXT:
        p.body = arena_printf(x->mem, "%u %s\n" STR_FMT "%srequest " STR_FMT "\n", status, reason,
                              STR_ARG(text), text.len > 0 ? "\n" : "", STR_ARG(id));
        break;
    }
    return p;
}
