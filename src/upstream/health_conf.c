// SPDX-License-Identifier: Apache-2.0
#include "upstream/health_conf.h"

#include <string.h>

#include "base/ascii.h"
#include "base/num.h"
#include "codec/field.h"
#include "codec/h1.h"

#define STATUS_MIN 200 // those before are interim
#define STATUS_MAX 599

static const char *const kind_names[] = {
    [HEALTH_AUTO] = "auto", [HEALTH_HTTP] = "http", [HEALTH_GRPC] = "grpc",
    [HEALTH_TLS] = "tls",   [HEALTH_TCP] = "tcp",   NULL,
};

static const char *const start_names[] = {
    [HEALTH_START_UP] = "up",
    [HEALTH_START_DOWN] = "down",
    NULL,
};

static const struct conf_item field_items[] = {
    ITEM_TEXT(health_field_conf, value, "value", .since = "0.1", .apply = CONF_LIVE,
              .format = "a field value", .doc = "The value, as it is sent."),
};

static const struct conf_section field_section = {
    .name = "health-field",
    .doc = "The value of one header field of a check. A text alone is its `value`.",
    CONF_SECTION_OF(health_field_conf, field_items),
    .shorthand = "value",
};

bool health_status_parse(struct str text, unsigned *ret_first, unsigned *ret_last)
{
    struct str first = text, last = text;
    size_t dash = str_find(text, '-');
    if (dash != STR_NPOS) {
        first = str_first(text, dash);
        last = str_skip(text, dash + 1);
    }
    uint64_t a, b;
    if (num_dec(first, STATUS_MAX, &a) != ERR_OK || num_dec(last, STATUS_MAX, &b) != ERR_OK ||
        a < STATUS_MIN || a > b)
        return false;
    *ret_first = (unsigned)a;
    *ret_last = (unsigned)b;
    return true;
}

static enum err check_status(const struct conf_text *value, struct diags *diags)
{
    unsigned first, last;
    if (health_status_parse(value->text, &first, &last))
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, value->place,
                     "'" STR_FMT "' is no status: write one from 200 to 599, or a range of them "
                     "such as 200-399",
                     STR_ARG(value->text));
}

// What frames the message, belongs to the connection, or has a setting of its own.
static bool is_ours(struct str name)
{
    const uint64_t ours = FIELD_BIT(FIELD_CONTENT_LENGTH) | FIELD_BIT(FIELD_TRANSFER_ENCODING) |
                          FIELD_BIT(FIELD_TRAILER) | FIELD_BIT(FIELD_TE) |
                          FIELD_BIT(FIELD_CONNECTION) | FIELD_BIT(FIELD_KEEP_ALIVE) |
                          FIELD_BIT(FIELD_UPGRADE) | FIELD_BIT(FIELD_EXPECT) |
                          FIELD_BIT(FIELD_HTTP2_SETTINGS) | FIELD_BIT(FIELD_HOST);
    enum field_id id = field_id_of(name);
    return id != FIELD_OTHER && (ours & FIELD_BIT(id)) != 0;
}

static bool is_all(struct str s, unsigned class)
{
    size_t i = 0;
    while (i < s.len && ascii_is(s.ptr[i], class))
        i++;
    return i == s.len;
}

static enum err check_fields(const struct health_conf *c, struct diags *diags)
{
    for (size_t i = 0; i < c->fields.n; i++) {
        const struct conf_map_item *item = &c->fields.items[i];
        const struct conf_text *value = &((const struct health_field_conf *)item->value)->value;
        if (item->name.len == 0 || !is_all(item->name, ASCII_TOKEN) || is_ours(item->name))
            return diag_fail(
                diags, ERR_SYNTAX, item->place, "'" STR_FMT "' is no field that a check can have%s",
                STR_ARG(item->name), str_ieq(item->name, STR("Host")) ? ": write `host`" : "");
        if (!is_all(value->text, ASCII_VALUE))
            return diag_fail(diags, ERR_SYNTAX, value->place,
                             "the value of " STR_FMT
                             " has a control byte, which field values can't hold",
                             STR_ARG(item->name));
    }
    return ERR_OK;
}

static enum err check_path(const struct conf_text *path, struct diags *diags)
{
    bool is_good = path->text.len > 0 && path->text.ptr[0] == '/';
    for (size_t i = 0; i < path->text.len; i++)
        is_good = is_good && path->text.ptr[i] > ' ' && path->text.ptr[i] < 0x7f &&
                  path->text.ptr[i] != '#';
    if (is_good)
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, path->place,
                     "'" STR_FMT "' is no path: it begins with '/', and has visible ASCII "
                     "characters alone; write others as %%XX",
                     STR_ARG(path->text));
}

static enum err check_method(const struct conf_text *method, struct diags *diags)
{
    if (method->text.len > 0 && is_all(method->text, ASCII_TOKEN) &&
        method_of(method->text) != METHOD_CONNECT)
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, method->place, "'" STR_FMT "' is no method for a check",
                     STR_ARG(method->text));
}

static bool is_given(struct place place)
{
    return place.source && strcmp(place.source, "default") != 0;
}

// What says something about another kind of check would do nothing.
static enum err check_kind(const struct health_conf *c, struct diags *diags)
{
    bool is_http = c->kind == HEALTH_AUTO || c->kind == HEALTH_HTTP;
    const struct conf_text *foreign = NULL;
    if (!is_http && c->body.text.len > 0)
        foreign = &c->body;
    else if (!is_http && c->body_regex.text.len > 0)
        foreign = &c->body_regex;
    else if (!is_http && c->status.n > 0 && is_given(c->status.items[0].place))
        foreign = &c->status.items[0];
    else if (!is_http && is_given(c->path.place))
        foreign = &c->path;
    else if (c->kind != HEALTH_GRPC && c->grpc_service.text.len > 0)
        foreign = &c->grpc_service;
    if (foreign)
        return diag_fail(diags, ERR_SYNTAX, foreign->place,
                         "checks of the type '%s' have no use for this", kind_names[c->kind]);
    return ERR_OK;
}

static enum err check(const void *value, struct diags *diags)
{
    const struct health_conf *c = value;
    if (!c->is_on)
        return ERR_OK;
    enum err err = check_kind(c, diags);
    if (!err)
        err = check_fields(c, diags);
    return err;
}

static const struct conf_item health_items[] = {
    ITEM_TEXT(health_conf, path, "path", .def = "/", .since = "0.1", .format = "a path",
              .check_text = check_path, .example = "/healthz",
              .doc = "What is asked for over HTTP; it may have a query."),
    ITEM_ENUM(health_conf, kind, "type", .names = kind_names, .def = "auto", .since = "0.1",
              .example = "grpc",
              .doc = "What is asked. `http`: for `path`, in the server's own HTTP. `grpc`: "
                     "grpc.health.v1.Health/Check, over HTTP/2. `tls`: whether a handshake of TLS "
                     "comes about. `tcp`: whether a connection does. `auto`: `http`, or `tcp` "
                     "where servers are for TCP routes."),
    ITEM_TEXT(health_conf, method, "method", .def = "GET", .since = "0.1", .format = "a method",
              .check_text = check_method, .example = "HEAD", .doc = "The method over HTTP."),
    ITEM_TEXT(health_conf, host, "host", .since = "0.1", .format = "HOST[:PORT]",
              .example = "app.internal",
              .doc = "The Host field of a check. Without it the service's `host`, where that is a "
                     "name, or else the server's own."),
    ITEM_MAP(health_conf, fields, "headers", .section = &field_section, .since = "0.1",
             .has_secret_names = true, .example = "{ X-Probe: sallyport }",
             .doc = "Further header fields of a check."),
    ITEM_TEXTS(health_conf, status, "status", .def = "[200-399]", .since = "0.1",
               .format = "statuses or ranges of them", .check_text = check_status,
               .example = "[200, 204, 300-399]", .doc = "What a server that works answers."),
    ITEM_TEXT(health_conf, body, "body", .since = "0.1", .format = "a text", .example = "ok",
              .doc = "What the answer's body must have in it, in its first 64 KiB."),
    ITEM_TEXT(health_conf, body_regex, "body-regex", .since = "0.1",
              .format = "a regular expression", .example = "'\"status\": *\"(ok|degraded)\"'",
              .doc = "What must be found in the body's first 16 KiB."),
    ITEM_TEXT(health_conf, grpc_service, "grpc-service", .since = "0.1", .format = "a name",
              .example = "shop.Cart",
              .doc = "Which service of a gRPC server is asked about. Without it, the server."),
    ITEM_UINT(health_conf, port, "port", .def = "0", .min = "0", .max = "65535", .since = "0.1",
              .example = "9000", .doc = "Where a check goes. 0: to the server's own port."),
    ITEM_BOOL(health_conf, is_plain, "plain", .def = "false", .since = "0.1",
              .doc = "Speak without TLS, for instance on a `port` for checks alone, although the "
                     "server's URL says https://."),
    ITEM_DURATION(health_conf, every_ms, "every", .def = "5s", .min = "100ms", .max = "1d",
                  .since = "0.1", .example = "10s", .doc = "The time from one check to the next."),
    ITEM_DURATION(health_conf, timeout_ms, "timeout", .def = "2s", .min = "10ms", .max = "1h",
                  .since = "0.1", .example = "1s",
                  .doc = "How long a check may take, from connecting to the end of the answer. "
                         "Where `every` is shorter, it counts."),
    ITEM_UINT(health_conf, jitter_percent, "jitter-percent", .def = "10", .min = "0", .max = "50",
              .since = "0.1",
              .doc = "By how much of `every` each pause is longer or shorter, by chance, so that "
                     "checks of many don't meet."),
    ITEM_UINT(health_conf, rise, "rise", .def = "1", .min = "1", .max = "100", .since = "0.1",
              .example = "2", .doc = "After how many good checks in a row a server is back."),
    ITEM_UINT(health_conf, fall, "fall", .def = "3", .min = "1", .max = "100", .since = "0.1",
              .example = "1",
              .doc = "After how many bad checks in a row a server is down. The first check of all "
                     "decides alone."),
    ITEM_ENUM(health_conf, start, "start", .names = start_names, .def = "up", .since = "0.1",
              .example = "down",
              .doc = "What a server is before its first check: `up` is used at once, `down` waits "
                     "for a good one."),
};

const struct conf_section health_section = {
    .name = "health",
    .doc = "Checks that tell which servers work. One that is down gets no requests. They are made "
           "once for all workers, and what they found stays over reloads. A text alone is the "
           "`path`.",
    CONF_SECTION_OF(health_conf, health_items),
    .shorthand = "path",
    .place_offset = CONF_PLACE_AT(health_conf, place),
    .check = check,
};
