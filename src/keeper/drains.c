// SPDX-License-Identifier: Apache-2.0
#include "keeper/drains.h"

#include "gate/protocol.h"

static struct str text_of(const json_t *item, const char *key)
{
    const json_t *text = json_object_get(item, key);
    return str_from(json_string_value(text), json_string_length(text));
}

size_t drains_count(const struct drains *d)
{
    return json_array_size(d->list);
}

void drains_get(const struct drains *d, size_t i, struct str *ret_service, struct str *ret_server)
{
    const json_t *item = json_array_get(d->list, i);
    *ret_service = text_of(item, "service");
    *ret_server = text_of(item, "server");
}

// drains_count: it isn't there.
static size_t find(const struct drains *d, struct str service, struct str server)
{
    size_t i = 0;
    for (; i < drains_count(d); i++) {
        struct str its_service, its_server;
        drains_get(d, i, &its_service, &its_server);
        if (str_eq(service, its_service) && str_eq(server, its_server))
            break;
    }
    return i;
}

bool drains_set(struct drains *d, struct str service, struct str server, bool is_drained,
                const char **ret_why)
{
    size_t at = find(d, service, server);
    bool is_there = at < drains_count(d);
    *ret_why = "the name of the server or of its service is too long, or not UTF-8";
    if (server.len == 0 || service.len == 0 || server.len > GATE_SERVER_MAX_BYTES ||
        service.len > GATE_SERVER_MAX_BYTES)
        return false;
    if (is_there && !is_drained)
        json_array_remove(d->list, at);
    if (is_there || !is_drained)
        return true;
    json_t *item = json_pack("{s:s%, s:s%}", "service", service.ptr, service.len, "server",
                             server.ptr, server.len);
    if (!item)
        return false;
    *ret_why = "too many servers are drained already";
    if (!d->list)
        d->list = json_array();
    if (drains_count(d) >= DRAINS_MAX) {
        json_decref(item);
        return false;
    }
    json_array_append_new(d->list, item);
    return true;
}

void drains_fini(struct drains *d)
{
    json_decref(d->list);
    d->list = NULL;
}

json_t *drains_pack(const struct drains *d)
{
    return d->list ? json_deep_copy(d->list) : json_array();
}

void drains_adopt(struct drains *d, const json_t *list)
{
    size_t i;
    const json_t *item;
    const char *why;
    json_array_foreach(list, i, item)(void)
        drains_set(d, text_of(item, "service"), text_of(item, "server"), true, &why);
}
