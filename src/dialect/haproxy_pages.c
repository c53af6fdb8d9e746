// SPDX-License-Identifier: Apache-2.0
// Filters of a whole proxy: pages for errors, compression.
#include "base/num.h"
#include "base/utf8.h"
#include "dialect/haproxy_rules.h"
#include "filter/common.h"

#define ERROR_FILE_MAX_BYTES ((size_t)64 << 10)

static void put_compression(struct haproxy_run *r, struct haproxy_state *s)
{
    struct haproxy_line *algo = haproxy_last(r->proxy->s, "compression", "algo");
    struct haproxy_line *types = haproxy_last(r->proxy->s, "compression", "type");
    struct haproxy_line *offload = haproxy_last(r->proxy->s, "compression", "offload");
    struct conf_node *map;
    if (!algo)
        return;
    struct str key = draft_printf(r->h->d, "compress %u %u %u", algo->place.line,
                                  types ? types->place.line : 0, offload ? 1u : 0u);
    struct str name = haproxy_filter(r->h, key, STR("compress"), algo->place, &map);
    if (map) {
        struct draft *d = r->h->d;
        struct conf_node *compress = draft_map(d, map, STR("compress"), algo->place);
        draft_push(d, draft_list(d, compress, STR("codings"), algo->place), STR("gzip"),
                   algo->place);
        for (unsigned i = 2; types && i < types->n; i++)
            if (str_find(types->words[i], '/') != STR_NPOS)
                draft_push(d, draft_list(d, compress, STR("types"), types->place), types->words[i],
                           types->place);
        if (offload)
            draft_set(d, compress, STR("offload"), STR("yes"), offload->place);
    }
    haproxy_state_use(r, s, name, false);
}

// The part of an answer's file behind its head.
static struct str body_of(struct str answer, struct str *ret_type)
{
    struct str line, name, value;
    *ret_type = STR_NONE;
    while (answer.len > 0) {
        str_cut(answer, '\n', &line, &answer);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0)
            break;
        if (str_cut(line, ':', &name, &value) && str_ieq(name, STR("content-type")))
            *ret_type = str_trim(value);
    }
    return answer;
}

static void put_page(struct haproxy_run *r, struct haproxy_line *l, struct conf_node *pages)
{
    struct str text, type;
    const char *why = "it is larger than 64 KiB, or isn't UTF-8";
    uint64_t status;
    struct draft *d = r->h->d;
    const struct conf_resolver *files = r->h->in->files;
    l->is_done = true;
    bool is_read = files->read_file &&
                   files->read_file(files->arg, haproxy_word(l, 2), &d->mem, &text, &why) &&
                   text.len <= ERROR_FILE_MAX_BYTES && utf8_is_valid(text);
    if (!is_read || num_dec(haproxy_word(l, 1), 599, &status) != ERR_OK || status < 400) {
        haproxy_note(r->h, l, DRAFT_LOST, "the page: %s", is_read ? "of this status" : why);
        return;
    }
    struct conf_node *page = draft_push_map(d, pages, l->place);
    struct str body = body_of(text, &type);
    draft_set(d, page, STR("statuses"), haproxy_word(l, 1), l->place);
    if (body.len > 0)
        draft_set(d, page, STR("body"), body, l->place);
    if (body.len > 0 && type.len > 0 && !filter_value_fault(type))
        draft_set(d, page, STR("content-type"), type, l->place);
}

static size_t put_pages(struct haproxy_run *r, struct haproxy_section *at, struct conf_node *pages)
{
    size_t n = 0;
    // The proxy's own come first, since the first that has a status counts.
    for (size_t i = at->n; i > 0; i--) {
        if (!str_eq(at->lines[i - 1].words[0], STR("errorfile")))
            continue;
        n++;
        if (pages)
            put_page(r, &at->lines[i - 1], pages);
    }
    return at->defaults ? n + put_pages(r, at->defaults, pages) : n;
}

static void put_error_pages(struct haproxy_run *r, struct haproxy_state *s)
{
    struct draft *d = r->h->d;
    struct conf_node *map;
    if (put_pages(r, r->proxy->s, NULL) == 0)
        return;
    bool has_own = false;
    for (size_t i = 0; i < r->proxy->s->n; i++)
        has_own = has_own || str_eq(r->proxy->s->lines[i].words[0], STR("errorfile"));
    struct place place = has_own ? r->proxy->s->place : r->proxy->s->defaults->place;
    struct str key = draft_printf(d, "pages %u", place.line);
    struct str name = haproxy_filter(r->h, key, STR("error-pages"), place, &map);
    if (map) {
        struct conf_node *filter = draft_map(d, map, STR("error-pages"), place);
        struct conf_node *pages = draft_list(d, filter, STR("pages"), place);
        put_pages(r, r->proxy->s, pages);
        draft_set(d, filter, STR("of"), STR("proxy"), place);
        // A list without pages is none.
        if (pages->n == 0)
            draft_remove(map, STR("error-pages"));
    }
    const struct conf_node *filters = conf_node_get(d->root, STR("filters"));
    const struct conf_node *own = filters ? conf_node_get(filters, name) : NULL;
    if (own && own->n > 0)
        haproxy_state_use(r, s, name, true);
}

void haproxy_proxy_filters(struct haproxy_run *r, struct haproxy_state *s)
{
    if (r->front->is_tcp)
        return;
    put_error_pages(r, s);
    put_compression(r, s);
}
