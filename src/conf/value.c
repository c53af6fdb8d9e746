// SPDX-License-Identifier: Apache-2.0
#include "base/ascii.h"
#include "base/num.h"
#include "codec/json.h"
#include "conf/conf_priv.h"

#define QUOTED_MAX_BYTES 60

static enum err parse_uint(struct str s, uint64_t *ret)
{
    return num_dec(s, UINT32_MAX, ret);
}

static enum err parse_duration(struct str s, uint64_t *ret)
{
    uint64_t ms;
    enum err err = num_duration(s, &ms);
    if (err != ERR_OK)
        return err;
    if (ms > INT64_MAX)
        return ERR_RANGE;
    *ret = ms;
    return ERR_OK;
}

const struct conf_kind_info conf_kinds[CONF_CHOICE + 1] = {
    [CONF_BOOL] = {.is_single = true,
                   .name = "yes or no",
                   .words = "true or false",
                   .bytes = sizeof(bool)},
    [CONF_UINT] = {.is_single = true,
                   .name = "number",
                   .words = "a whole number",
                   .bytes = sizeof(uint32_t),
                   .parse = parse_uint},
    [CONF_SIZE] = {.is_single = true,
                   .name = "size",
                   .words = "a size such as 512, 16KiB or 4MB",
                   .bytes = sizeof(uint64_t),
                   .parse = num_size},
    [CONF_DURATION] = {.is_single = true,
                       .name = "duration",
                       .words = "a duration such as 250ms, 5s or 1m30s",
                       .bytes = sizeof(int64_t),
                       .parse = parse_duration},
    [CONF_RATE] = {.is_single = true,
                   .name = "rate",
                   .words = "a rate such as 100/s or 30/m",
                   .bytes = sizeof(uint64_t),
                   .parse = num_rate},
    [CONF_ENUM] = {.is_single = true,
                   .name = "one of",
                   .words = "one of",
                   .bytes = sizeof(unsigned)},
    [CONF_TEXT] = {.is_single = true,
                   .name = "text",
                   .words = "a text",
                   .bytes = sizeof(struct conf_text)},
    [CONF_SECRET] = {.is_single = true,
                     .name = "secret",
                     .words = "a secret: file:PATH, env:NAME or the text itself",
                     .bytes = sizeof(struct conf_text)},
    [CONF_TEXTS] = {.name = "list of texts",
                    .words = "a text or a list of texts",
                    .bytes = sizeof(struct conf_texts)},
    [CONF_NETS] =
        {.name = "list of networks",
         .words = "an address, a network such as 10.0.0.0/8, file:PATH, or a list's name such as "
                  "private, or several of these",
         .bytes = sizeof(struct conf_nets)},
    [CONF_FILE] = {.is_single = true,
                   .name = "file",
                   .words = "the path of a file",
                   .bytes = sizeof(struct conf_file)},
    [CONF_SECTION] = {.name = "section", .words = "a map"},
    [CONF_LIST] = {.name = "list", .words = "a list", .bytes = sizeof(struct conf_list)},
    [CONF_MAP] = {.name = "map", .words = "a map of names", .bytes = sizeof(struct conf_map)},
    [CONF_CHOICE] = {.name = "choice",
                     .words = "a map with one of the keys",
                     .bytes = sizeof(struct conf_choice)},
};

bool conf_bool_parse(struct str s, bool *ret)
{
    static const struct {
        struct str word;
        bool value;
    } words[] = {
        {STR_INIT("true"), true},   {STR_INIT("yes"), true}, {STR_INIT("on"), true},
        {STR_INIT("false"), false}, {STR_INIT("no"), false}, {STR_INIT("off"), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_ieq(s, words[i].word)) {
            *ret = words[i].value;
            return true;
        }
    }
    return false;
}

enum err conf_number_parse(const struct conf_item *item, struct str s, uint64_t *ret)
{
    enum err (*parse)(struct str, uint64_t *) = conf_kinds[item->kind].parse;
    if (item->zero && str_ieq(s, str_of(item->zero))) {
        *ret = 0;
        return ERR_OK;
    }
    uint64_t value, bound;
    enum err err = parse(s, &value);
    if (err != ERR_OK)
        return err;
    // A bound that doesn't parse allows nothing; conf_check_tables names it.
    if (item->min && (parse(str_of(item->min), &bound) != ERR_OK || value < bound))
        return ERR_RANGE;
    if (item->max && (parse(str_of(item->max), &bound) != ERR_OK || value > bound))
        return ERR_RANGE;
    *ret = value;
    return ERR_OK;
}

void conf_put_range(const struct conf_item *item, struct writer *w)
{
    if (item->min && item->max)
        writer_printf(w, "%s to %s", item->min, item->max);
    else if (item->min)
        writer_printf(w, "at least %s", item->min);
    else if (item->max)
        writer_printf(w, "at most %s", item->max);
}

static void put_names(const struct conf_item *item, struct writer *w)
{
    for (size_t i = 0; item->names[i]; i++) {
        if (i > 0)
            writer_put(w, item->names[i + 1] ? STR(", ") : STR(" or "));
        writer_put(w, str_of(item->names[i]));
    }
}

static void put_choices(const struct conf_item *item, struct writer *w)
{
    for (size_t i = 0; item->choices[i]; i++) {
        if (i > 0)
            writer_put(w, item->choices[i + 1] ? STR(", ") : STR(" or "));
        writer_put(w, str_of(item->choices[i]->key));
    }
}

void conf_put_expected(const struct conf_item *item, struct writer *w)
{
    if (item->format && (item->kind == CONF_TEXT || item->kind == CONF_SECRET))
        writer_put(w, str_of(item->format));
    else if (item->format && item->kind == CONF_TEXTS)
        writer_printf(w, "%s, or a list of such", item->format);
    else
        writer_put(w, str_of(conf_kinds[item->kind].words));
    if (item->kind == CONF_ENUM || item->kind == CONF_CHOICE)
        writer_byte(w, ' ');
    if (item->kind == CONF_ENUM)
        put_names(item, w);
    if (item->kind == CONF_CHOICE)
        put_choices(item, w);
    if (item->min && item->max)
        writer_put(w, STR(" from "));
    else if (item->min || item->max)
        writer_put(w, STR(" of "));
    conf_put_range(item, w);
    if (item->zero)
        writer_printf(w, ", or %s", item->zero);
    if (item->has_switch)
        writer_put(w, STR(", or off"));
}

const char *conf_quoted(struct str s, char buf[static CONF_QUOTED_BYTES])
{
    struct writer w;
    writer_init(&w, buf, CONF_QUOTED_BYTES - 1);
    writer_byte(&w, '\'');
    log_escape(&w, str_first(s, QUOTED_MAX_BYTES));
    writer_put(&w, s.len > QUOTED_MAX_BYTES ? STR("…'") : STR("'"));
    buf[w.len] = '\0';
    return buf;
}

static void put_path(const struct conf_path *path, struct writer *w)
{
    if (!path)
        return;
    put_path(path->up, w);
    if (path->name.len == 0) {
        writer_printf(w, "[%zu]", path->index);
        return;
    }
    if (path->up)
        writer_byte(w, '.');
    bool is_plain = true;
    for (size_t i = 0; i < path->name.len; i++)
        is_plain &= ascii_is(path->name.ptr[i], ASCII_ALPHA | ASCII_DIGIT) ||
                    path->name.ptr[i] == '-' || path->name.ptr[i] == '_';
    char quoted[CONF_QUOTED_BYTES];
    writer_put(w, is_plain ? str_first(path->name, QUOTED_MAX_BYTES)
                           : str_of(conf_quoted(path->name, quoted)));
}

const char *conf_path_text(const struct conf_path *path, char buf[static CONF_PATH_BYTES])
{
    struct writer w;
    writer_init(&w, buf, CONF_PATH_BYTES - 3);
    put_path(path, &w);
    w.cap = CONF_PATH_BYTES - 1;
    if (path)
        writer_put(&w, STR(": "));
    buf[w.len] = '\0';
    return buf;
}
