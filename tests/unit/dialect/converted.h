// SPDX-License-Identifier: Apache-2.0
// A configuration through a dialect: the settings and notes as text, and whether `check` would take
// the settings. Files that they name are made up.
#pragma once

#include "dialect/dialect.h"
#include "gate/settings.h"
#include "gate/snapshot.h"
#include "unit/test.h"
#include "upstream/service.h"

struct converted {
    bool is_read;     // the dialect took it
    bool passes;      // the settings are good
    struct text yaml; // owns
    struct text notes;
    size_t n_lost, n_closed;
    struct text faults; // errors of either kind
};

// A self-signed certificate and its key: an authority, too.
static const char converted_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBVzCCAQmgAwIBAgIUIGiFL0M8F0l156YgsQJlwnP+hCswBQYDK2VwMBUxEzAR\n"
    "BgNVBAMMCmNhLmV4YW1wbGUwIBcNMjYxMTIyMDQ0NDA4WhgPMjEyNjEwMjkwNDQ0\n"
    "MDhaMBUxEzARBgNVBAMMCmNhLmV4YW1wbGUwKjAFBgMrZXADIQC3uraI99752Zir\n"
    "X27fbME2sdQ8pFgWIwmj9w25b8ecSqNpMGcwHQYDVR0OBBYEFIPjtKPKfMPz43vN\n"
    "xM157wF19SCEMB8GA1UdIwQYMBaAFIPjtKPKfMPz43vNxM157wF19SCEMBQGA1Ud\n"
    "EQQNMAuCCWEuZXhhbXBsZTAPBgNVHRMBAf8EBTADAQH/MAUGAytlcANBAKZH/B/j\n"
    "6Ed4uN/WjkmJLZmlv9zpc7FcHWlSz49A9MbhLhynWsXDiXytp/fGyKCFV5AmYhhD\n"
    "8X3ONZbhs+rwgwM=\n"
    "-----END CERTIFICATE-----\n"
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIK2ek1/HUdnCqiRhPxoa+LngTmVBYHGH56E3dnKrTtL+\n"
    "-----END PRIVATE KEY-----\n";

// What files hold, by the end of their name.
static const struct {
    const char *end, *text;
} converted_files[] = {
    {".lst", "# comment\n10.0.0.0/8\n\n192.0.2.1\n"},
    {".http", "HTTP/1.0 503 Unavailable\r\nContent-Type: text/html\r\n\r\n<h1>Sorry</h1>\n"},
    {"crt-list.txt", "a.pem [alpn h2] a.example\n/etc/b.pem\n"},
    {".htpasswd", "ada:$apr1$cGTlQ0TB$LznkfXYFXSOb9t1Wc8Yg91\n"},
    {".html", "<p>from a file</p>\n"},
    {".map", "a.example app\nB.example other\n"},
    {".pem", converted_pem},
};

static bool converted_read(void *arg, struct str path, struct arena *mem, struct str *ret,
                           const char **ret_why)
{
    (void)arg;
    *ret_why = "there is no such file";
    for (size_t i = 0; i < ARRAY_LEN(converted_files); i++) {
        if (!str_ends(path, str_of(converted_files[i].end)))
            continue;
        *ret = arena_dup(mem, str_of(converted_files[i].text));
        return true;
    }
    return false;
}

static bool converted_env(void *arg, struct str name, struct arena *mem, struct str *ret,
                          const char **ret_why)
{
    (void)arg, (void)mem;
    *ret_why = "it is not set";
    *ret = STR("10.9.8.7");
    return str_eq(name, STR("BACKEND"));
}

static bool converted_list(void *arg, struct str name, struct arena *mem, struct str *ret,
                           const char **ret_why)
{
    (void)arg, (void)name, (void)mem, (void)ret;
    *ret_why = "there is no such list";
    return false;
}

static const struct conf_resolver converted_resolver = {
    .read_file = converted_read, .read_env = converted_env, .read_list = converted_list};

static void converted_faults(struct converted *c, struct diags *diags)
{
    for (size_t i = 0; i < diags->n; i++)
        if (diags->items[i].severity == DIAG_ERROR)
            text_printf(&c->faults, "%u: %s\n", diags->items[i].place.line, diags->items[i].text);
    diags_fini(diags);
}

static bool converted_passes(struct converted *c)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    arena_init(&mem, (size_t)1 << 30, NULL, 0);
    struct conf_node *root = conf_yaml_parse(text_str(&c->yaml), "result", &mem, &diags);
    // As the keeper does it, where servers have to prove who they are.
    if (root && !conf_node_get(root, STR("authorities")))
        conf_node_put(root, STR("authorities"),
                      conf_node_scalar(&mem, STR("ca.pem"), (struct place){.line = 0}));
    bool is_resolved =
        root && conf_resolve(&settings_section, root, &converted_resolver, &mem, &diags) == ERR_OK;
    struct upstream_registry *registry = upstream_registry_new();
    struct snapshot *snapshot =
        is_resolved ? snapshot_build(root, &(struct snapshot_env){.registry = registry}, &diags)
                    : NULL;
    bool is_good = snapshot && diags.n_errors == 0;
    if (snapshot)
        snapshot_unref(snapshot);
    upstream_registry_free(registry);
    converted_faults(c, &diags);
    arena_fini(&mem);
    return is_good;
}

static void convert_with(const struct dialect *dialect, struct str text, struct converted *ret)
{
    struct draft d;
    struct diags diags = {.n = 0};
    struct dialect_input in = {.path = STR("f.cfg"), .text = text, .files = &converted_resolver};
    *ret = (struct converted){.is_read = false};
    draft_init(&d);
    ret->is_read = dialect_convert(dialect, &in, &d, &diags);
    if (ret->is_read) {
        draft_print(&d, &settings_section, "Title", &ret->yaml);
        draft_print_notes(&d, false, &ret->notes);
        ret->n_lost = draft_count(&d, DRAFT_LOST);
        ret->n_closed = draft_count(&d, DRAFT_CLOSED);
    }
    converted_faults(ret, &diags);
    draft_fini(&d);
    ret->passes = ret->is_read && converted_passes(ret);
}

static void converted_fini(struct converted *c)
{
    text_fini(&c->yaml);
    text_fini(&c->notes);
    text_fini(&c->faults);
}

// Says whether part is in the text, and shows the text when it isn't.
static inline bool converted_has(const struct text *text, const char *part)
{
    if (str_search(text_str(text), str_of(part)) != STR_NPOS)
        return true;
    printf("# no '%s' in:\n", part);
    struct str rest = text_str(text), line;
    while (rest.len > 0) {
        str_cut(rest, '\n', &line, &rest);
        printf("#   " STR_FMT "\n", STR_ARG(line));
    }
    return false;
}

// A line of a dialect, and what comes of it. A part that begins with WITHOUT isn't in the settings.
#define WITHOUT "~"
struct line_case {
    const char *line;
    const char *parts[4]; // of the settings
    const char *notes[2];
};

static inline bool converted_has_part(const struct text *yaml, const char *part)
{
    if (!str_starts(str_of(part), STR(WITHOUT)))
        return converted_has(yaml, part);
    bool is_there = str_search(text_str(yaml), str_of(part + strlen(WITHOUT))) != STR_NPOS;
    if (is_there)
        printf("# '%s' is in the settings\n", part + strlen(WITHOUT));
    return !is_there;
}

// Puts each line between before and after. Without notes nothing may be lost.
static inline void convert_lines(const struct dialect *dialect, const char *before,
                                 const char *after, const struct line_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct text t = {.len = 0};
        struct converted c;
        text_printf(&t, "%s%s\n%s", before, cases[i].line, after);
        convert_with(dialect, text_str(&t), &c);
        bool is_good = c.is_read && c.passes;
        for (size_t k = 0; k < ARRAY_LEN(cases[i].parts) && cases[i].parts[k]; k++)
            is_good = converted_has_part(&c.yaml, cases[i].parts[k]) && is_good;
        for (size_t k = 0; k < ARRAY_LEN(cases[i].notes) && cases[i].notes[k]; k++)
            is_good = converted_has(&c.notes, cases[i].notes[k]) && is_good;
        if (!cases[i].notes[0] && c.n_lost + c.n_closed > 0) {
            printf("# something was lost:\n# " STR_FMT "\n", STR_ARG(text_str(&c.notes)));
            is_good = false;
        }
        if (!is_good)
            printf("# '%s': %s\n", cases[i].line, c.faults.ptr ? c.faults.ptr : "");
        CHECK(is_good);
        converted_fini(&c);
        text_fini(&t);
    }
}
