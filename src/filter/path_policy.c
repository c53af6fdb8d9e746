// SPDX-License-Identifier: Apache-2.0
// path-policy: what paths may look like. They are canonical already when they come here, so this is
// about what servers read differently: each kind is kept, refused, or made what servers make of it.
#include "base/ascii.h"
#include "base/utf8.h"
#include "codec/url.h"
#include "filter/common.h"

struct path_policy_conf {
    unsigned slashes, backslashes, dots, empty, doubles, controls, foreign, letters, parameters;
    uint32_t status;
    struct place place;
};

struct path_policy {
    struct filter_base base;
    const struct path_policy_conf *conf; // borrows: the snapshot's
};

enum choice {
    CHOICE_KEEP,
    CHOICE_REFUSE,
    CHOICE_CHANGE, // as the kind's third name says
};

static const char *const plain_names[] = {"keep", "refuse", NULL};
static const char *const slash_names[] = {"keep", "refuse", "decode", NULL};
static const char *const backslash_names[] = {"keep", "refuse", "slash", NULL};
static const char *const empty_names[] = {"keep", "refuse", "merge", NULL};
static const char *const dots_names[] = {"resolve", "refuse", NULL};
static const char *const case_names[] = {"keep", "refuse", "lower", NULL};

#define ROW(field, key, names_, def_, doc_)                                                        \
    ITEM_ENUM(path_policy_conf, field, key, .names = names_, .def = def_, .since = "0.1",          \
              .apply = CONF_LIVE, .doc = doc_)

static const struct conf_item items[] = {
    ROW(slashes, "encoded-slashes", slash_names, "refuse",
        "`%2F`: data of one segment to us, and a separator to some servers. `decode` makes it "
        "one."),
    ROW(backslashes, "backslashes", backslash_names, "refuse",
        "`\\` and `%5C`: a separator to servers on Windows. `slash` makes it `/`."),
    ROW(dots, "dot-segments", dots_names, "resolve",
        "`.` and `..` in the path as it was sent, encoded ones too. They are resolved before "
        "anything looks at the path; who sends them may be refused as well."),
    ROW(empty, "empty-segments", empty_names, "keep", "`//`. `merge` makes one slash of several."),
    ROW(doubles, "double-encoding", plain_names, "refuse",
        "`%25` with two hexadecimal digits behind it, which becomes another escape where a path is "
        "decoded twice."),
    ROW(controls, "control-characters", plain_names, "refuse", "`%01` to `%1F` and `%7F`."),
    ROW(foreign, "invalid-utf8", plain_names, "refuse",
        "Escaped bytes that aren't UTF-8, such as overlong forms of `/` and `.`."),
    ROW(parameters, "parameters", plain_names, "keep",
        "`;` in a segment, such as `;jsessionid=…`. Some servers cut it off before they compare a "
        "path, so that `/admin;x` is `/admin` to them and not to rules. `/..;/`, a way up to them, "
        "is refused in any case."),
    ROW(letters, "upper-case", case_names, "keep",
        "Upper-case letters, for servers that don't tell them apart. `lower` makes them small "
        "ones."),
    ITEM_UINT(path_policy_conf, status, "status", .def = "400", .min = "400", .max = "499",
              .since = "0.1", .apply = CONF_LIVE, .doc = "What is answered to what is refused."),
};

static const struct conf_section section = {
    .name = "path-policy",
    .doc = "Refuses paths that servers may read otherwise than rules and filters do, or makes them "
           "plain. On an entrypoint it acts before the route is looked for, so that rules see what "
           "the server sees; on a site or route it only changes what is behind it. "
           "`use: [path-policy]` does it with the defaults.",
    CONF_SECTION_OF(path_policy_conf, items),
    .place_offset = CONF_PLACE_AT(path_policy_conf, place),
};

// The byte that a canonical escape at the start of s stands for; -1: there is none.
static int escaped(struct str s)
{
    if (s.len < 3 || s.ptr[0] != '%')
        return -1;
    int high = ascii_hex(s.ptr[1]), low = ascii_hex(s.ptr[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

// What entrypoints make canonical before filters see it.
static const char *fault_as_sent(const struct path_policy_conf *c, const struct exchange *x)
{
    struct url_target t;
    bool is_path = url_target_parse(x->req.target, false, &t) == ERR_OK;
    if (c->dots == CHOICE_REFUSE && (!is_path || url_path_has_dots(t.path)))
        return "a dot segment";
    if (c->empty == CHOICE_REFUSE && (!is_path || str_search(t.path, STR("//")) != STR_NPOS))
        return "an empty segment";
    return NULL;
}

// At a slash: a segment that is one of dots to servers that cut parameters off, such as "/..;x".
static bool is_dots_in_disguise(struct str s)
{
    size_t n = 1;
    while (n < s.len && s.ptr[n] == '.')
        n++;
    struct str rest = str_skip(s, n);
    return (n == 2 || n == 3) && (str_starts(rest, STR(";")) || escaped(rest) == ';');
}

// Why the byte or escape at the start of s is refused; NULL: it isn't.
static const char *fault_at(const struct path_policy_conf *c, struct str s)
{
    int byte = escaped(s);
    if (byte == '/' && c->slashes == CHOICE_REFUSE)
        return "an encoded slash";
    if (byte == '\\' && c->backslashes == CHOICE_REFUSE)
        return "a backslash";
    if (byte >= 0 && (byte < 0x20 || byte == 0x7f) && c->controls == CHOICE_REFUSE)
        return "a control character";
    if (byte == '%' && c->doubles == CHOICE_REFUSE && s.len >= 5 && ascii_hex(s.ptr[3]) >= 0 &&
        ascii_hex(s.ptr[4]) >= 0)
        return "an escape that is escaped";
    if ((s.ptr[0] == ';' || byte == ';') && c->parameters == CHOICE_REFUSE)
        return "a parameter";
    if (s.ptr[0] == '/' && is_dots_in_disguise(s))
        return "a dot segment with a parameter";
    if (str_starts(s, STR("//")) && c->empty == CHOICE_REFUSE)
        return "an empty segment";
    if (ascii_is(s.ptr[0], ASCII_UPPER) && c->letters == CHOICE_REFUSE)
        return "an upper-case letter";
    return NULL;
}

// Why a path is refused; NULL: it isn't.
static const char *fault_of(const struct path_policy_conf *c, struct str path, struct arena *mem)
{
    bool has_bytes = false;
    for (struct str rest = path; rest.len > 0;) {
        const char *fault = fault_at(c, rest);
        if (fault)
            return fault;
        int byte = escaped(rest);
        has_bytes = has_bytes || byte >= 0x80;
        rest = str_skip(rest, byte >= 0 ? 3 : 1);
    }
    if (!has_bytes || c->foreign != CHOICE_REFUSE)
        return NULL;
    struct str decoded = url_decode(path, false, mem);
    return decoded.ptr && utf8_is_valid(decoded) ? NULL : "bytes that aren't UTF-8";
}

// The path with what is to be changed changed; ptr is NULL when the arena is full.
static struct str change(const struct path_policy_conf *c, struct str path, struct arena *mem)
{
    char *out = ARENA_ARRAY(mem, char, path.len);
    if (!out)
        return STR_NONE;
    size_t n = 0;
    for (struct str rest = path; rest.len > 0;) {
        int byte = escaped(rest);
        bool is_slash = (byte == '/' && c->slashes == CHOICE_CHANGE) ||
                        (byte == '\\' && c->backslashes == CHOICE_CHANGE) || rest.ptr[0] == '/';
        size_t used = byte >= 0 ? 3 : 1;
        if (is_slash) {
            if (n == 0 || out[n - 1] != '/' || c->empty != CHOICE_CHANGE)
                out[n++] = '/';
        } else if (used == 3) {
            n = (size_t)(str_copy(out + n, str_first(rest, used)) - out);
        } else {
            out[n++] = c->letters == CHOICE_CHANGE ? ascii_lower(rest.ptr[0]) : rest.ptr[0];
        }
        rest = str_skip(rest, used);
    }
    return str_from(out, n);
}

static bool changes(const struct path_policy_conf *c)
{
    return c->slashes == CHOICE_CHANGE || c->backslashes == CHOICE_CHANGE ||
           c->empty == CHOICE_CHANGE || c->letters == CHOICE_CHANGE;
}

// Why x's path is refused, or NULL and the path that it becomes; ptr NULL: the arena is full.
static const char *judge(const struct path_policy_conf *c, struct exchange *x, struct str *ret)
{
    *ret = x->req.path;
    if (x->req.is_asterisk)
        return NULL;
    const char *fault = fault_as_sent(c, x);
    if (!fault)
        fault = fault_of(c, x->req.path, x->mem);
    if (fault || !changes(c))
        return fault;
    *ret = change(c, x->req.path, x->mem);
    if (!ret->ptr)
        return NULL;
    // What only became one here was hidden from rules: never resolved, always refused.
    if (url_path_has_dots(*ret))
        return "a dot segment behind an encoded slash";
    return fault_of(c, *ret, x->mem);
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct path_policy *f = (const struct path_policy *)(const void *)h;
    struct str path;
    const char *fault = judge(f->conf, x, &path);
    if (fault) {
        filter_note(h, x, "refused", str_of(fault));
        exchange_fail(x, f->conf->status, EXCHANGE_END_FILTERED, STR_FMT ": the path has %s",
                      STR_ARG(f->base.who), fault);
        return ERR_OK;
    }
    if (!path.ptr)
        return filter_exhausted(x);
    if (str_eq(path, x->req.path)) {
        filter_note(h, x, "passed", STR_NONE);
    } else {
        x->req.path = path;
        filter_note(h, x, "changed", path);
    }
    return handler_serve(h->next, x);
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct path_policy *f = (const struct path_policy *)(const void *)h;
    struct str path;
    const char *fault = judge(f->conf, x, &path);
    if (fault)
        return arena_printf(x->mem, "answers %u: the path has %s", f->conf->status, fault);
    if (!path.ptr || str_eq(path, x->req.path))
        return STR("lets the path pass");
    x->req.path = path;
    return arena_printf(x->mem, "makes the path " STR_FMT, STR_ARG(path));
}

static const struct handler_type type = {.name = "path-policy", .serve = serve, .explain = explain};

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    struct path_policy *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = settings;
    return &f->base.handler;
}

const struct filter_type filter_path_policy = {
    .choice = {.key = "path-policy", .section = &section},
    .build = build,
    .is_preset = true,
};
