// SPDX-License-Identifier: Apache-2.0
// Changes to header fields: header, request_header, header_up, header_down. What servers may
// believe of a request, and nothing here can say, is taken out: a client could say it as well.
#include "base/ascii.h"
#include "dialect/caddy_priv.h"

#define FORWARDED "X-Forwarded-"

bool caddy_is_forwarding(struct str name)
{
    size_t n = sizeof FORWARDED - 1;
    return str_ieq(str_first(name, name.len < n ? name.len : n), STR(FORWARDED)) ||
           str_ieq(name, STR("X-Real-IP"));
}

static void take_out(struct caddy_site *s, struct caddy_line *l, struct str name,
                     enum filter_side side, struct conf_node *fields)
{
    if (side == FILTER_RESPONSE || !ascii_is_token(name) || filter_field_fault(name, side)) {
        caddy_note(s->c, l, DRAFT_LOST,
                   "fields can't be made of placeholders, patterns or conditions here");
        return;
    }
    draft_push(s->c->d, draft_list(s->c->d, fields, STR("remove"), l->place), name, l->place);
    caddy_note(s->c, l, DRAFT_LOST,
               "a field can't be made of this here; what clients send in it is taken out");
}

bool caddy_put_field(struct caddy_site *s, struct caddy_line *l, size_t from, enum filter_side side,
                     struct conf_node *fields)
{
    struct draft *d = s->c->d;
    struct str name = caddy_word(l, from), value = caddy_word(l, from + 1);
    char mark = name.len > 1 ? name.ptr[0] : '\0';
    name = str_skip(name, mark == '+' || mark == '-' || mark == '?' || mark == '>');
    // A pattern of fields that servers must not get.
    if (str_find(name, '*') != STR_NPOS && side == FILTER_REQUEST)
        return false;
    const char *fault = filter_field_fault(name, side);
    if (fault && ascii_is_token(name)) {
        caddy_note(s->c, l, DRAFT_NEEDLESS, "'" STR_FMT "' %s", STR_ARG(name), fault);
        return true;
    }
    if (fault || mark == '?' ||
        (mark != '-' &&
         (l->n_words != from + 2 || !caddy_is_plain(value) || filter_value_fault(value)))) {
        take_out(s, l, name, side, fields);
        return true;
    }
    if (mark == '-') {
        draft_push(d, draft_list(d, fields, STR("remove"), l->place), name, l->place);
        return true;
    }
    struct str key = mark == '+' ? STR("add") : STR("set");
    draft_set(d, draft_map(d, fields, key, l->place), name, value, l->place);
    return true;
}

void caddy_put_headers(struct caddy_site *s, struct caddy_line *l, enum filter_side side)
{
    struct draft *d = s->c->d;
    size_t at = caddy_args(l);
    struct conf_node *settings = caddy_filter(s, l, "headers");
    struct str direction = side == FILTER_REQUEST ? STR("request") : STR("response");
    struct conf_node *fields = draft_map(d, settings, direction, l->place);
    bool is_fine = true;
    if (l->n_words > at)
        is_fine = caddy_put_field(s, l, at, side, fields);
    for (struct caddy_line *sub = l->first; sub && is_fine; sub = sub->next)
        if (!caddy_is(sub, "defer"))
            is_fine = caddy_put_field(s, sub, 0, side, fields);
    if (is_fine && fields->first)
        return;
    draft_remove(conf_node_get(d->root, STR("filters")), l->filter);
    l->filter = STR_NONE;
    if (!is_fine)
        caddy_refuse(s, l, "fields can't be taken out by a pattern here");
}
