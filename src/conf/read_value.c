// SPDX-License-Identifier: Apache-2.0
// Single values and lists of them: one node to one member of a struct.
#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "codec/ip_set.h"
#include "conf/reader.h"

#define MESSAGE_BYTES 1024

void conf_fail(struct conf_reader *r, const struct conf_path *path, struct place place,
               const char *fmt, ...)
{
    char message[MESSAGE_BYTES], where[CONF_PATH_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    r->n_errors++;
    diag_fail(r->diags, ERR_SYNTAX, place, "%s%s", conf_path_text(path, where), message);
}

void *conf_alloc(struct conf_reader *r, size_t n, size_t bytes, size_t align)
{
    void *ptr = arena_zalloc(r->mem, n, bytes, align);
    if (!ptr)
        conf_fail(r, NULL, (struct place){.source = NULL},
                  "the settings need more memory than is allowed for them");
    return ptr;
}

void conf_fail_expected(struct conf_reader *r, const struct conf_path *path,
                        const struct conf_node *node, const char *expected, const char *hint)
{
    char found[CONF_QUOTED_BYTES];
    switch (node->kind) {
    case CONF_NODE_NULL:
        conf_fail(r, path, node->place, "has no value: expected %s%s", expected, hint);
        return;
    case CONF_NODE_SCALAR:
        conf_fail(r, path, node->place, "expected %s, found %s%s", expected,
                  node->is_secret ? "something else" : conf_quoted(node->text, found), hint);
        return;
    case CONF_NODE_SEQ:
        conf_fail(r, path, node->place, "expected %s, found a list%s", expected, hint);
        return;
    case CONF_NODE_MAP:
        conf_fail(r, path, node->place, "expected %s, found a map%s", expected, hint);
        return;
    }
}

void conf_fail_item(struct conf_reader *r, const struct conf_path *path,
                    const struct conf_item *item, const struct conf_node *node, const char *hint)
{
    char expected[MESSAGE_BYTES];
    struct writer w;
    writer_init(&w, expected, sizeof expected - 1);
    conf_put_expected(item, &w);
    expected[w.len] = '\0';
    conf_fail_expected(r, path, node, expected, hint);
}

static void read_bool(struct conf_reader *r, const struct conf_path *path,
                      const struct conf_item *item, const struct conf_node *node, bool *ret)
{
    if (!conf_bool_parse(node->text, ret))
        conf_fail_item(r, path, item, node, "");
}

static bool is_digits(struct str s)
{
    return s.len > 0 && ascii_all(s, ASCII_DIGIT);
}

static void read_number(struct conf_reader *r, const struct conf_path *path,
                        const struct conf_item *item, const struct conf_node *node, void *ret)
{
    uint64_t value;
    if (conf_number_parse(item, node->text, &value) != ERR_OK) {
        bool lacks_unit = is_digits(node->text) && !str_eq(node->text, STR("0"));
        const char *hint = "";
        if (lacks_unit && item->kind == CONF_DURATION)
            hint = ": the unit is missing (ms, s, m, h or d)";
        if (lacks_unit && item->kind == CONF_RATE)
            hint = ": the period is missing (/s, /m, /h or /d)";
        conf_fail_item(r, path, item, node, hint);
        return;
    }
    if (item->kind == CONF_UINT)
        *(uint32_t *)ret = (uint32_t)value;
    else if (item->kind == CONF_DURATION)
        *(int64_t *)ret = (int64_t)value;
    else
        *(uint64_t *)ret = value;
}

static void read_enum(struct conf_reader *r, const struct conf_path *path,
                      const struct conf_item *item, const struct conf_node *node, unsigned *ret)
{
    for (unsigned i = 0; item->names[i]; i++) {
        if (str_eq(node->text, str_of(item->names[i]))) {
            *ret = i;
            return;
        }
    }
    char hint[128] = "";
    const char *near = conf_suggest(node->text, item->names);
    if (near)
        snprintf(hint, sizeof hint, ": did you mean '%s'?", near);
    conf_fail_item(r, path, item, node, hint);
}

static void read_text(struct conf_reader *r, const struct conf_path *path,
                      const struct conf_item *item, const struct conf_node *node,
                      struct conf_text *ret)
{
    struct str target;
    struct conf_text text = {.text = node->text, .place = node->place};
    if (node->is_unresolved) {
        r->n_errors++;
        return;
    }
    if (item->kind == CONF_SECRET) {
        if (node->has_content)
            text.text = node->content;
        else if (conf_ref_parse(node->text, &target) != CONF_REF_NONE) {
            conf_fail_expected(r, path, node, "the content of a file or variable",
                               ", which is not read");
            return;
        }
    }
    if (str_find(text.text, '\0') != STR_NPOS) {
        conf_fail(r, path, node->place, "holds a NUL byte");
        return;
    }
    if (item->check_text && item->check_text(&text, r->diags) != ERR_OK) {
        r->n_errors++;
        return;
    }
    *ret = text;
}

static void read_file(struct conf_reader *r, const struct conf_path *path,
                      const struct conf_item *item, const struct conf_node *node,
                      struct conf_file *ret)
{
    struct str target;
    enum conf_ref ref = conf_ref_parse(node->text, &target);
    if (target.len == 0 || str_find(target, '\0') != STR_NPOS) {
        conf_fail_item(r, path, item, node, "");
        return;
    }
    *ret = (struct conf_file){
        .path = ref == CONF_REF_FILE ? target : node->text,
        .content = node->has_content ? node->content : STR_NONE,
        .is_set = true,
        .is_lost = !node->has_content,
        .place = node->place,
    };
}

enum err conf_fail_file(const struct conf_file *file, struct diags *diags, const char *why)
{
    if (file->is_lost)
        return ERR_SYNTAX;
    return diag_fail(diags, ERR_SYNTAX, file->place, STR_FMT ": %s", STR_ARG(file->path), why);
}

// The list that was read for a reference.
static void read_net_list(struct conf_reader *r, const struct conf_path *path,
                          const struct conf_node *node, struct ip_list *list)
{
    struct str target;
    unsigned line;
    const char *why;
    (void)conf_ref_parse(node->text, &target);
    enum err err = ip_list_parse(node->content, r->mem, list, &line, &why);
    if (err == ERR_LIMIT)
        conf_fail(r, path, node->place, "the settings need more memory than is allowed for them");
    else if (err != ERR_OK)
        conf_fail(r, path, node->place, STR_FMT ":%u: the line %s", STR_ARG(target), line, why);
}

static void read_net(struct conf_reader *r, const struct conf_path *path,
                     const struct conf_item *item, const struct conf_node *node,
                     struct ip_list *list)
{
    if (node->kind != CONF_NODE_SCALAR) {
        conf_fail_item(r, path, item, node, "");
        return;
    }
    if (node->has_content) {
        read_net_list(r, path, node, list);
        return;
    }
    if (node->is_unresolved) {
        r->n_errors++;
        return;
    }
    struct ip_net *nets = ARENA_GROW(r->mem, struct ip_net, list->nets, list->n, &list->cap);
    if (!nets) {
        conf_fail(r, path, node->place, "the settings need more memory than is allowed for them");
        return;
    }
    list->nets = nets;
    enum err err = ip_net_parse(node->text, &nets[list->n]);
    list->n += err == ERR_OK;
    if (err == ERR_RANGE && str_find(node->text, '/') != STR_NPOS)
        conf_fail_item(r, path, item, node, ": bits behind the prefix have to be 0");
    else if (err != ERR_OK)
        conf_fail_item(r, path, item, node, "");
}

// --- lists of single values; a scalar stands for a list of one ---

static void read_texts(struct conf_reader *r, const struct conf_path *path,
                       const struct conf_item *item, const struct conf_node *node,
                       struct conf_texts *ret)
{
    bool is_list = node->kind == CONF_NODE_SEQ;
    const struct conf_node *one = is_list ? node->first : node;
    size_t n = is_list ? node->n : 1;
    *ret = (struct conf_texts){.n = 0};
    if (n == 0)
        return;
    ret->items = conf_alloc(r, n, sizeof(struct conf_text), alignof(struct conf_text));
    if (!ret->items)
        return;
    ret->n = n;
    for (size_t i = 0; i < n; i++, one = one->next) {
        struct conf_path at = {.up = path, .index = i};
        const struct conf_path *where = is_list ? &at : path;
        if (one->kind == CONF_NODE_SCALAR)
            read_text(r, where, item, one, &ret->items[i]);
        else
            conf_fail_item(r, where, item, one, "");
    }
}

static void read_nets(struct conf_reader *r, const struct conf_path *path,
                      const struct conf_item *item, const struct conf_node *node,
                      struct conf_nets *ret)
{
    struct ip_list list = {.nets = NULL};
    size_t i = 0;
    if (node->kind != CONF_NODE_SEQ)
        read_net(r, path, item, node, &list);
    for (const struct conf_node *child = node->first; child; child = child->next) {
        struct conf_path at = {.up = path, .index = i++};
        read_net(r, &at, item, child, &list);
    }
    bool is_set = node->kind != CONF_NODE_SEQ || node->n > 0;
    *ret = (struct conf_nets){.items = list.nets, .n = list.n, .is_set = is_set};
}

void conf_read_value(struct conf_reader *r, const struct conf_path *path,
                     const struct conf_item *item, const struct conf_node *node, void *field)
{
    bool is_list = item->kind == CONF_TEXTS || item->kind == CONF_NETS;
    if (node->kind != CONF_NODE_SCALAR && !(is_list && node->kind == CONF_NODE_SEQ)) {
        conf_fail_item(r, path, item, node, "");
        return;
    }
    switch (item->kind) {
    case CONF_BOOL:
        read_bool(r, path, item, node, field);
        return;
    case CONF_UINT:
    case CONF_SIZE:
    case CONF_DURATION:
    case CONF_RATE:
        read_number(r, path, item, node, field);
        return;
    case CONF_ENUM:
        read_enum(r, path, item, node, field);
        return;
    case CONF_TEXT:
    case CONF_SECRET:
        read_text(r, path, item, node, field);
        return;
    case CONF_TEXTS:
        read_texts(r, path, item, node, field);
        return;
    case CONF_NETS:
        read_nets(r, path, item, node, field);
        return;
    case CONF_FILE:
        read_file(r, path, item, node, field);
        return;
    case CONF_SECTION:
    case CONF_LIST:
    case CONF_MAP:
    case CONF_CHOICE:
        panic("row '%s' is not a single value", item->key);
    }
}

struct conf_node *conf_text_node(struct conf_reader *r, const struct conf_item *item,
                                 const char *text)
{
    struct place place = {.source = "default"};
    bool is_single = conf_kinds[item->kind].is_single;
    size_t n_errors = r->diags->n_errors;
    struct conf_node *node = is_single
                                 ? conf_node_scalar(r->mem, str_of(text), place)
                                 : conf_yaml_parse(str_of(text), place.source, r->mem, r->diags);
    if (!node && is_single)
        conf_fail(r, NULL, place, "the settings need more memory than is allowed for them");
    else
        r->n_errors += r->diags->n_errors - n_errors;
    return node;
}
