// SPDX-License-Identifier: Apache-2.0
// What the status says of orders.
#include "keeper/issue_priv.h"
#include "keeper/to_json.h"

static json_t *attempt_json(const struct issue_attempt *a, int64_t now_s)
{
    json_t *j = json_object();
    json_object_set_new(j, "issuer", to_json_text(a->issuer->name));
    json_object_set_new(j, "failures", json_integer(a->n_failures));
    json_object_set_new(j, "not_before",
                        to_json_time(a->not_before_s > now_s ? a->not_before_s : 0));
    json_object_set_new(j, "last_failure", to_json_time(a->failed_s));
    json_object_set_new(j, "last_error",
                        a->error[0] ? to_json_text(str_of(a->error)) : json_null());
    return j;
}

static const char *state_of(const struct issue_item *item, int64_t now_s)
{
    if (item->state == ITEM_RUNNING && item->kind != ISSUE_RENEWAL_INFO)
        return "ordering";
    return item->kind != ISSUE_ORDER || item->due_s > now_s ? "waiting" : "due";
}

// The one that was told last.
static const char *last_error(const struct issue_item *item)
{
    const struct issue_attempt *last = &item->attempts[0];
    for (size_t i = 1; i < item->need.n_sources; i++) {
        if (item->attempts[i].failed_s >= last->failed_s && item->attempts[i].error[0])
            last = &item->attempts[i];
    }
    return last->error[0] ? last->error : NULL;
}

static json_t *item_json(const struct issue_item *item, int64_t now_s)
{
    json_t *j = json_object(), *issuers = json_array();
    const char *error = last_error(item);
    json_object_set_new(j, "id", to_json_text(item->need.id));
    json_object_set_new(j, "issuer", to_json_text(item->attempts[item->turn].issuer->name));
    json_object_set_new(j, "state", json_string(state_of(item, now_s)));
    json_object_set_new(j, "due", to_json_time(item->due_s));
    json_object_set_new(j, "why", json_string(item->why));
    json_object_set_new(j, "last_error", error ? to_json_text(str_of(error)) : json_null());
    for (size_t i = 0; i < item->need.n_sources; i++)
        json_array_append_new(issuers, attempt_json(&item->attempts[i], now_s));
    json_object_set_new(j, "issuers", issuers);
    return j;
}

json_t *issue_report(const struct issue *i, int64_t now_s)
{
    json_t *list = json_array();
    for (size_t n = 0; i->wants && n < i->wants->n_items; n++)
        json_array_append_new(list, item_json(&i->wants->items[n], now_s));
    return list;
}

struct str issue_find(const struct issue *i, struct str name)
{
    for (size_t n = 0; i->wants && n < i->wants->n_items; n++) {
        const struct issue_need *need = &i->wants->items[n].need;
        bool is_it = str_eq(need->id, name);
        for (size_t k = 0; !is_it && k < need->n_names; k++)
            is_it = str_eq(need->names[k], name);
        if (is_it)
            return need->id;
    }
    return STR_NONE;
}

json_t *issue_show(const struct issue *i, struct str id, int64_t now_s)
{
    const struct issue_item *item = issue_wants_find(i->wants, id);
    if (!item)
        return NULL;
    json_t *j = item_json(item, now_s);
    const char *next = item->kind == ISSUE_RENEWAL_INFO ? "question" : "order";
    json_object_set_new(j, "next", json_string(next));
    return j;
}
