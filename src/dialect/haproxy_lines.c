// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stdio.h>

#include "base/num.h"
#include "dialect/haproxy_priv.h"

static bool begins(const struct haproxy_line *l, const char *first, const char *second)
{
    return str_eq(l->words[0], str_of(first)) &&
           (!second || str_eq(haproxy_word(l, 1), str_of(second)));
}

struct haproxy_line *haproxy_last(struct haproxy_section *s, const char *first, const char *second)
{
    struct haproxy_line *found = NULL;
    for (struct haproxy_section *at = s; at; at = at->defaults) {
        struct haproxy_line *last = NULL;
        for (size_t i = 0; i < at->n; i++) {
            if (!begins(&at->lines[i], first, second))
                continue;
            at->lines[i].is_done = true;
            last = &at->lines[i];
        }
        found = found ? found : last;
    }
    return found;
}

struct haproxy_line *haproxy_option(struct haproxy_section *s, const char *name)
{
    struct haproxy_line *found = NULL;
    bool is_decided = false;
    for (struct haproxy_section *at = s; at; at = at->defaults) {
        for (size_t i = at->n; i > 0; i--) {
            struct haproxy_line *l = &at->lines[i - 1];
            bool is_no = str_eq(l->words[0], STR("no")) &&
                         str_eq(haproxy_word(l, 1), STR("option")) &&
                         str_eq(haproxy_word(l, 2), str_of(name));
            if (!is_no && !begins(l, "option", name))
                continue;
            l->is_done = true;
            found = is_decided || is_no ? found : l;
            is_decided = true;
        }
    }
    return found;
}

struct haproxy_section *haproxy_section(struct haproxy *h, enum haproxy_section_kind kind,
                                        struct str name)
{
    for (size_t i = 0; i < h->file.n; i++) {
        struct haproxy_section *s = &h->file.sections[i];
        if (s->kind == kind && str_eq(s->name, name))
            return s;
    }
    return NULL;
}

// Whether it is new that this is said of the line.
static bool is_news(struct haproxy *h, const struct haproxy_line *l, enum draft_fate fate,
                    struct str word)
{
    struct str key = draft_printf(h->d, "%u %d " STR_FMT, l->place.line, (int)fate, STR_ARG(word));
    return map_set(&h->noted, key, h) == NULL;
}

void haproxy_note(struct haproxy *h, struct haproxy_line *l, enum draft_fate fate, const char *fmt,
                  ...)
{
    char why[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    l->is_done = true;
    if (is_news(h, l, fate, STR_NONE))
        draft_note(h->d, fate, l->place, STR_NONE, "%s", why);
}

void haproxy_note_word(struct haproxy *h, struct haproxy_line *l, enum draft_fate fate,
                       struct str word, const char *fmt, ...)
{
    char why[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    l->is_done = true;
    if (is_news(h, l, fate, word))
        draft_note(h->d, fate, l->place, word, "%s", why);
}

// A bound of a row; otherwise when it has none.
static uint64_t bound_of(const struct conf_item *item, const char *text, uint64_t otherwise)
{
    uint64_t n;
    if (!text)
        return otherwise;
    enum err err = item->kind == CONF_DURATION ? num_duration(str_of(text), &n)
                                               : num_dec(str_of(text), UINT64_MAX, &n);
    return err == ERR_OK ? n : otherwise;
}

// value: in the row's own unit, milliseconds or a number.
static void set_bounded(struct haproxy *h, struct conf_node *map,
                        const struct conf_section *section, const char *key, uint64_t value,
                        struct haproxy_line *l)
{
    const struct conf_item *item = conf_item_find(section, str_of(key));
    ASSERT(item && (item->kind == CONF_DURATION || item->kind == CONF_UINT));
    uint64_t min = bound_of(item, item->min, 0), max = bound_of(item, item->max, UINT32_MAX);
    uint64_t fit = MIN(MAX(value, min), max);
    char text[24];
    if (item->kind == CONF_DURATION)
        num_duration_text(fit, text);
    else
        (void)snprintf(text, sizeof text, "%u", (unsigned)fit);
    l->is_done = true;
    draft_set(h->d, map, str_of(key), str_of(text), l->place);
    if (fit != value)
        haproxy_note_word(h, l, DRAFT_CHANGED, str_of(key), "'%s' is %s here, its %s", key, text,
                          fit == min ? "least" : "most");
}

void haproxy_set_number(struct haproxy *h, struct conf_node *map,
                        const struct conf_section *section, const char *key, uint64_t value,
                        struct haproxy_line *l)
{
    set_bounded(h, map, section, key, value, l);
}

void haproxy_set_time(struct haproxy *h, struct conf_node *map, const struct conf_section *section,
                      const char *key, struct str time, struct haproxy_line *l)
{
    uint64_t us;
    if (haproxy_time(time, &us))
        set_bounded(h, map, section, key, (us + 999) / 1000, l);
    else
        haproxy_note_word(h, l, DRAFT_LOST, time, "it is no time");
}

struct str haproxy_filter(struct haproxy *h, struct str key, struct str wanted, struct place place,
                          struct conf_node **ret)
{
    *ret = NULL;
    const struct str *known = map_get(&h->filters, key);
    if (known)
        return *known;
    struct conf_node *filters =
        draft_map(h->d, h->d->root, STR("filters"), (struct place){.line = 0});
    struct str *name = ARENA_NEW(&h->d->mem, struct str);
    if (!name) {
        h->d->is_full = true;
        return STR("");
    }
    *name = draft_name(h->d, filters, wanted);
    map_set(&h->filters, key, name);
    *ret = draft_map(h->d, filters, *name, place);
    return *name;
}
