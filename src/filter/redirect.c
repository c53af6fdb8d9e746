// SPDX-License-Identifier: Apache-2.0
// redirect: sends the client to another URL.
#include "filter/redirect.h"

#include "base/ascii.h"
#include "codec/url.h"

static struct str path_of(const struct exchange *x)
{
    return x->req.is_asterisk ? STR("/") : x->req.path;
}

static void write_part(const struct redirect *f, size_t i, const struct exchange *x,
                       const struct str *groups, struct writer *w)
{
    switch (f->parts[i].kind) {
    case REDIRECT_PART_TEXT:
        writer_put(w, f->parts[i].text);
        break;
    case REDIRECT_PART_GROUP:
        writer_put(w, groups[f->parts[i].group]);
        break;
    case REDIRECT_PART_SCHEME:
        writer_put(w, x->req.scheme);
        break;
    case REDIRECT_PART_HOST:
        writer_put(w, x->req.host);
        break;
    case REDIRECT_PART_PORT:
        writer_dec(w, x->req.port != 0 ? x->req.port : url_usual_port(x->req.scheme));
        break;
    case REDIRECT_PART_PATH:
        writer_put(w, path_of(x));
        break;
    case REDIRECT_PART_QUERY:
        if (x->req.has_query)
            writer_byte(w, '?');
        writer_put(w, x->req.query);
        break;
    }
}

// With a client's text in it, the host must still be one.
static bool has_sound_host(struct str url)
{
    struct url_target t;
    struct url_authority a;
    return url_target_parse(url, false, &t) == ERR_OK && t.form == URL_ABSOLUTE &&
           url_authority_parse(t.authority, &a) == ERR_OK;
}

// The Location for this request; ptr NULL when the arena is full or the request gives none.
static struct str location(const struct redirect *f, struct exchange *x, const struct str *groups)
{
    size_t room = x->req.scheme.len + x->req.host.len + x->req.path.len + x->req.query.len + 16;
    size_t cap = 0;
    for (size_t i = 0; i < f->n_parts; i++)
        cap += f->parts[i].text.len + (f->parts[i].kind == REDIRECT_PART_TEXT ? 0 : room);
    char *buf = ARENA_ARRAY(x->mem, char, cap + 1);
    if (!buf)
        return STR_NONE;
    struct writer w;
    writer_init(&w, buf, cap + 1);
    for (size_t i = 0; i < f->n_parts; i++)
        write_part(f, i, x, groups, &w);
    struct str url = writer_str(&w);
    // WHY: "{path}" may begin with "//host", which a browser takes for another site.
    if (f->parts[0].kind != REDIRECT_PART_TEXT || !str_starts(f->parts[0].text, STR("//")))
        while (str_starts(url, STR("//")))
            url = str_skip(url, 1);
    // Browsers take a backslash for a slash.
    bool is_sound = !w.overflowed && url.len > 0 && ascii_all(url, ASCII_TARGET) &&
                    !str_starts(url, STR("/\\")) && (!f->has_open_host || has_sound_host(url));
    return is_sound ? url : STR_NONE;
}

// What the expression is looked for in; ptr is NULL when the arena is full.
static struct str subject_of(const struct redirect *f, const struct exchange *x)
{
    const struct request *r = &x->req;
    struct str path = path_of(x);
    if (f->of == REDIRECT_OF_PATH)
        return path;
    struct str target = r->has_query ? arena_concat(x->mem, path, STR("?"), r->query) : path;
    if (f->of == REDIRECT_OF_TARGET || !target.ptr)
        return target;
    if (r->port == 0 || r->port == url_usual_port(r->scheme))
        return arena_printf(x->mem, STR_FMT "://" STR_FMT STR_FMT, STR_ARG(r->scheme),
                            STR_ARG(r->host), STR_ARG(target));
    return arena_printf(x->mem, STR_FMT "://" STR_FMT ":%u" STR_FMT, STR_ARG(r->scheme),
                        STR_ARG(r->host), r->port, STR_ARG(target));
}

// Whether the request is one to redirect.
static enum regex_result find(const struct redirect *f, const struct exchange *x,
                              struct str groups[static REGEX_GROUPS_MAX])
{
    if (!f->from)
        return REGEX_YES;
    struct str subject = subject_of(f, x);
    return subject.ptr ? regex_find(f->from, subject, 0, groups) : REGEX_BROKEN;
}

static bool is_there_already(const struct redirect *f, const struct exchange *x)
{
    if (f->scheme.len == 0 || !str_eq(x->req.scheme, f->scheme))
        return false;
    uint16_t usual = url_usual_port(f->scheme);
    uint16_t is = x->req.port != 0 ? x->req.port : usual;
    return f->port == 0 || f->port == is;
}

// A URL that an expression makes of itself would be asked for again and again.
static bool leads_to_itself(const struct redirect *f, const struct exchange *x, struct str url)
{
    return f->from && f->of == REDIRECT_OF_URL && url.ptr && str_eq(url, subject_of(f, x));
}

static unsigned status_of(const struct redirect *f, const struct exchange *x)
{
    if (f->code != 0)
        return f->code;
    bool is_plain = x->req.method_id == METHOD_GET || x->req.method_id == METHOD_HEAD;
    if (f->is_permanent)
        return is_plain ? 301 : 308;
    return is_plain ? 302 : 307;
}

static enum err refuse(const struct handler *h, struct exchange *x, const char *why)
{
    filter_note(h, x, "refused", str_of(why));
    exchange_fail(x, 400, EXCHANGE_END_FILTERED, "a redirect: %s", why);
    return ERR_OK;
}

enum err redirect_serve(const struct handler *h, struct exchange *x)
{
    const struct redirect *f = (const struct redirect *)(const void *)h;
    if (is_there_already(f, x)) {
        if (!f->is_of_site) // nearly all requests of the site: nothing to tell
            filter_note(h, x, "passed", x->req.scheme);
        return handler_serve(h->next, x);
    }
    struct str groups[REGEX_GROUPS_MAX];
    enum regex_result found = find(f, x, groups);
    if (found == REGEX_NO) {
        filter_note(h, x, "passed", STR("not found"));
        return handler_serve(h->next, x);
    }
    if (found == REGEX_BROKEN)
        return refuse(h, x, "the expression gave up");
    if (f->needs_host && x->req.host.len == 0)
        return refuse(h, x, "no host to redirect to");
    struct str url = location(f, x, groups);
    if (leads_to_itself(f, x, url)) {
        filter_note(h, x, "passed", STR("it is there already"));
        return handler_serve(h->next, x);
    }
    if (!url.ptr && f->from)
        return refuse(h, x, "no URL comes of it");
    if (!url.ptr || exchange_respond(x, status_of(f, x), STR_NONE, STR_NONE) != ERR_OK ||
        headers_add(&x->resp.headers, FIELD_LOCATION, url) != ERR_OK)
        return filter_exhausted(x);
    filter_note(h, x, "redirected", url);
    exchange_end_filtered(x);
    return ERR_OK;
}

struct str redirect_explain(const struct handler *h, struct exchange *x)
{
    const struct redirect *f = (const struct redirect *)(const void *)h;
    if (is_there_already(f, x))
        return arena_printf(x->mem, "passes on: comes by " STR_FMT, STR_ARG(x->req.scheme));
    struct str groups[REGEX_GROUPS_MAX];
    if (find(f, x, groups) != REGEX_YES)
        return STR("passes on: the expression isn't found");
    struct str url = location(f, x, groups);
    if (leads_to_itself(f, x, url))
        return STR("passes on: it is there already");
    if (!url.ptr)
        return STR("answers 400: no URL comes of it");
    return arena_printf(x->mem, "redirects with %u to " STR_FMT, status_of(f, x), STR_ARG(url));
}
