// SPDX-License-Identifier: Apache-2.0
#include "admin/api_request.h"

#include "base/ascii.h"
#include "base/num.h"
#include "codec/json.h"
#include "codec/url.h"

#define NUMBER_MAX 1000000000u // of pages and of items on one: their product fits

static const struct view {
    struct str path;
    enum api_view_kind kind;
    const char *doc;
} views[] = {
#define X(id, path_, kind_, doc_)                                                                  \
    [API_##id] = {.path = STR_INIT(path_), .kind = API_##kind_, .doc = doc_},
    API_VIEW_LIST(X)
#undef X
};

static struct str without_slash(struct str path)
{
    return path.len > 1 && str_ends(path, STR("/")) ? str_first(path, path.len - 1) : path;
}

static bool find_view(struct str path, struct api_request *ret, struct str *ret_name)
{
    for (size_t i = 0; i < ARRAY_LEN(views); i++) {
        struct str rest = str_skip(path, views[i].path.len);
        if (!str_starts(path, views[i].path))
            continue;
        ret->view = (enum api_view)i;
        *ret_name = str_skip(rest, 1);
        // A name may hold slashes: those of a site's routes do.
        bool takes_name = views[i].kind == API_LIST || i == API_SETTINGS;
        if (rest.len == 0 || (rest.ptr[0] == '/' && takes_name))
            return true;
    }
    return false;
}

static bool read_number(struct str value, uint64_t *ret)
{
    return num_dec(value, NUMBER_MAX, ret) == ERR_OK && *ret > 0;
}

// Others are for other versions.
static bool read_pair(struct str name, struct str value, struct api_request *r)
{
    const struct {
        struct str name;
        struct str *to;
    } texts[] = {
        {STR("search"), &r->search},   {STR("status"), &r->status},
        {STR("service"), &r->service}, {STR("serviceName"), &r->service},
        {STR("filter"), &r->filter},   {STR("middlewareName"), &r->filter},
        {STR("id"), &r->name},
    };
    if (value.len == 0)
        return true;
    if (str_eq(name, STR("page")))
        return read_number(value, &r->page);
    if (str_eq(name, STR("per_page")))
        return read_number(value, &r->per_page);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (str_eq(name, texts[i].name))
            *texts[i].to = value;
    }
    return true;
}

static bool decode(struct str *s, bool plus_is_space, struct arena *mem)
{
    bool is_empty = s->len == 0;
    if (!is_empty)
        *s = url_decode(*s, plus_is_space, mem);
    return is_empty || s->ptr;
}

enum err api_request_parse(struct str path, struct str query, struct arena *mem,
                           struct api_request *ret)
{
    struct api_request r = {.page = 1, .per_page = API_PAGE_DEFAULT};
    struct str name, value;
    if (path.len + query.len > API_TARGET_MAX_BYTES || !find_view(without_slash(path), &r, &r.name))
        return ERR_NOT_FOUND;
    if (!decode(&r.name, false, mem))
        return ERR_LIMIT;
    while (url_query_next(&query, &name, &value)) {
        if (!decode(&name, true, mem) || !decode(&value, true, mem))
            return ERR_LIMIT;
        if (!read_pair(name, value, &r))
            return ERR_RANGE;
    }
    r.per_page = MIN(r.per_page, (uint64_t)API_PAGE_MAX);
    *ret = r;
    return ERR_OK;
}

struct str api_view_path(enum api_view v)
{
    return views[v].path;
}

enum api_view_kind api_view_kind(enum api_view v)
{
    return views[v].kind;
}

static bool has_text(struct str s, struct str wanted)
{
    for (size_t i = 0; i + wanted.len <= s.len; i++) {
        if (str_ieq(str_from(s.ptr + i, wanted.len), wanted))
            return true;
    }
    return false;
}

bool api_request_finds(const struct api_request *r, const struct str *texts, size_t n)
{
    bool is_found = r->search.len == 0;
    for (size_t i = 0; i < n && !is_found; i++)
        is_found = has_text(texts[i], r->search);
    return is_found;
}

bool api_request_page(const struct api_request *r, uint64_t n, uint64_t *ret_first, uint64_t *ret_n,
                      uint64_t *ret_next)
{
    uint64_t first = (r->page - 1) * r->per_page;
    if (first > 0 && first >= n)
        return false;
    *ret_first = first;
    *ret_n = MIN(n - first, r->per_page);
    *ret_next = first + *ret_n < n ? r->page + 1 : 1;
    return true;
}

void api_print_views(struct text *to)
{
    text_put(to, STR("| path | what |\n|---|---|\n"));
    for (size_t i = 0; i < ARRAY_LEN(views); i++)
        text_printf(to, "| `" STR_FMT "`%s | %s |\n", STR_ARG(views[i].path),
                    views[i].kind == API_LIST ? ", `…/NAME`" : "", views[i].doc);
}

void api_put_index(struct text *to)
{
    text_byte(to, '[');
    for (size_t i = 0; i < ARRAY_LEN(views); i++) {
        json_text_open(to, NULL, '{');
        json_text_put(to, "path", views[i].path);
        json_text_bool(to, "list", views[i].kind == API_LIST);
        json_text_put(to, "about", str_of(views[i].doc));
        text_byte(to, '}');
    }
    text_byte(to, ']');
}
