// SPDX-License-Identifier: Apache-2.0
// What the status says of orders.
#include "codec/date.h"
#include "keeper/issue_priv.h"

static json_t *time_json(int64_t s)
{
    char date[DATE_ISO_BYTES];
    date_iso(s * 1000000000, date);
    return json_stringn(date, sizeof date);
}

static json_t *text_json(struct str s)
{
    json_t *j = json_stringn(s.len > 0 ? s.ptr : "", s.len);
    return j ? j : json_string("?"); // an authority's words
}

static json_t *attempt_json(const struct issue_attempt *a, int64_t now_s)
{
    json_t *j = json_object();
    json_object_set_new(j, "issuer", text_json(a->issuer->name));
    json_object_set_new(j, "failures", json_integer(a->n_failures));
    json_object_set_new(j, "not_before",
                        a->not_before_s > now_s ? time_json(a->not_before_s) : json_null());
    json_object_set_new(j, "last_failure", a->failed_s > 0 ? time_json(a->failed_s) : json_null());
    json_object_set_new(j, "last_error", a->error[0] ? text_json(str_of(a->error)) : json_null());
    return j;
}

static const char *state_of(const struct issue_item *item, int64_t now_s)
{
    if (item->state == ITEM_RUNNING)
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
    json_object_set_new(j, "id", text_json(item->need.id));
    json_object_set_new(j, "issuer", text_json(item->attempts[item->turn].issuer->name));
    json_object_set_new(j, "state", json_string(state_of(item, now_s)));
    json_object_set_new(j, "due", time_json(item->due_s));
    json_object_set_new(j, "why", json_string(item->why));
    json_object_set_new(j, "last_error", error ? text_json(str_of(error)) : json_null());
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
