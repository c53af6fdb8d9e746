// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <time.h>

#include "cli/cert.h"
#include "cli/plain.h"

#define LABEL_WIDTH 13
#define DATE_CHARS 16 // "2027-02-19T18:14"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void put_value(struct text *to, const char *value)
{
    plain_put(to, str_of(value ? value : "-"));
}

// --- the list ---

static void put_column(struct text *to, const json_t *object, const char *key, size_t width)
{
    size_t from = to->len;
    put_value(to, text_of(object, key));
    while (to->len - from < width)
        text_byte(to, ' ');
    text_put(to, STR("  "));
}

// What went wrong with each issuer of an order.
static void put_errors(const json_t *order, struct text *to)
{
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(order, "issuers"), i, c)
    {
        if (!text_of(c, "last_error"))
            continue;
        put_column(to, order, "id", 32);
        put_value(to, text_of(c, "issuer"));
        text_put(to, STR(": "));
        put_value(to, text_of(c, "last_error"));
        text_byte(to, '\n');
    }
}

void cert_text_list(const json_t *status, struct text *to)
{
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(status, "certificates"), i, c)
    {
        put_column(to, c, "id", 32);
        put_column(to, c, "source", 9);
        put_column(to, c, "issuer", 12);
        put_column(to, c, "state", 13);
        put_value(to, text_of(c, "not_after"));
        text_byte(to, '\n');
    }
    json_array_foreach(json_object_get(status, "orders"), i, c) put_errors(c, to);
}

// --- one of them ---

static void begin_row(struct text *to, const char *label)
{
    text_printf(to, "  %-*s", LABEL_WIDTH, label);
}

static void put_row(struct text *to, const char *label, const char *value)
{
    if (!value)
        return;
    begin_row(to, label);
    put_value(to, value);
    text_byte(to, '\n');
}

static void put_list(struct text *to, const char *label, const json_t *list)
{
    size_t i;
    json_t *item;
    if (json_array_size(list) == 0)
        return;
    begin_row(to, label);
    json_array_foreach(list, i, item)
    {
        text_put(to, i > 0 ? STR(", ") : STR_NONE);
        put_value(to, json_string_value(item));
    }
    text_byte(to, '\n');
}

static int64_t seconds_of(const char *time_text)
{
    struct tm tm = {.tm_year = 0};
    return time_text && strptime(time_text, "%Y-%m-%dT%H:%M:%S", &tm) ? (int64_t)timegm(&tm) : 0;
}

// "2027-02-19 18:14 UTC (in 89 d 23 h)".
static void put_time(struct text *to, const char *time_text, int64_t now_s)
{
    int64_t at_s = seconds_of(time_text);
    if (at_s == 0) {
        put_value(to, time_text);
        return;
    }
    text_put(to, str_first(str_of(time_text), DATE_CHARS - 6));
    text_byte(to, ' ');
    text_put(to, str_first(str_skip(str_of(time_text), DATE_CHARS - 5), 5));
    text_put(to, at_s > now_s ? STR(" UTC (in ") : STR(" UTC ("));
    plain_put_span(to, at_s > now_s ? at_s - now_s : now_s - at_s);
    text_put(to, at_s > now_s ? STR(")") : STR(" ago)"));
}

static void put_time_row(struct text *to, const char *label, const char *value, int64_t now_s)
{
    if (!value)
        return;
    begin_row(to, label);
    put_time(to, value, now_s);
    text_byte(to, '\n');
}

static void put_identity(const json_t *cert, int64_t now_s, struct text *to)
{
    const char *flaw = text_of(cert, "flaw");
    begin_row(to, "state");
    put_value(to, text_of(cert, "state"));
    if (flaw) {
        text_put(to, STR(": "));
        put_value(to, flaw);
    }
    text_byte(to, '\n');
    put_row(to, "error", text_of(cert, "error"));
    put_list(to, "names", json_object_get(cert, "names"));
    put_row(to, "issued by", text_of(cert, "issued_by"));
    put_row(to, "serial", text_of(cert, "serial"));
    put_time_row(to, "valid from", text_of(cert, "not_before"), now_s);
    put_time_row(to, "valid until", text_of(cert, "not_after"), now_s);
    put_row(to, "key", text_of(cert, "key"));
    put_row(to, "SHA-256", text_of(cert, "sha256"));
    put_row(to, "key's SHA-256", text_of(cert, "spki_sha256"));
}

static void put_chain(const json_t *cert, struct text *to)
{
    size_t i;
    json_t *link;
    json_array_foreach(json_object_get(cert, "chain"), i, link)
    {
        begin_row(to, i == 0 ? "chain" : "");
        put_value(to, text_of(link, "subject"));
        text_put(to, STR(" <- "));
        put_value(to, text_of(link, "issuer"));
        text_byte(to, '\n');
    }
}

static void put_origin(const json_t *cert, int64_t now_s, struct text *to)
{
    put_row(to, "issuer", text_of(cert, "issuer"));
    put_row(to, "directory", text_of(cert, "directory"));
    put_row(to, "profile", text_of(cert, "profile"));
    put_row(to, "order", text_of(cert, "order"));
    put_row(to, "imported from", text_of(cert, "imported_from"));
    put_time_row(to, "issued", text_of(cert, "issued"), now_s);
    put_list(to, "files", json_object_get(cert, "files"));
}

// What is planned, or where nobody plans, when it would be.
static void put_renewal(const json_t *cert, int64_t now_s, struct text *to)
{
    const json_t *renewal = json_object_get(cert, "renewal");
    const json_t *plan = json_object_get(cert, "plan");
    const char *by = text_of(renewal, "by");
    if (renewal) {
        begin_row(to, "renewal");
        put_time(to, text_of(renewal, "at"), now_s);
        text_put(to, by && strcmp(by, "authority") == 0 ? STR(", in the authority's window")
                                                        : STR(", by its lifetime"));
        text_byte(to, '\n');
    }
    put_time_row(to, "window from", text_of(renewal, "window_from"), now_s);
    put_time_row(to, "window to", text_of(renewal, "window_to"), now_s);
    put_row(to, "because", text_of(renewal, "explanation"));
    if (!plan)
        return;
    begin_row(to, "next");
    put_value(to, text_of(plan, "state"));
    text_put(to, STR(", "));
    put_time(to, text_of(plan, "due"), now_s);
    text_put(to, STR(": "));
    put_value(to, text_of(plan, "why"));
    text_byte(to, '\n');
}

static void put_order(const json_t *order, int64_t now_s, struct text *to)
{
    int64_t n = json_integer_value(json_object_get(order, "failures"));
    begin_row(to, "open order");
    put_value(to, text_of(order, "issuer"));
    text_put(to, STR(", "));
    put_value(to, text_of(order, "order"));
    text_byte(to, '\n');
    put_time_row(to, "last try", text_of(order, "last_try"), now_s);
    if (n > 0) {
        begin_row(to, "failures");
        plain_put_count(to, n);
        text_put(to, STR(" in a row\n"));
    }
    put_row(to, "last error", text_of(order, "last_error"));
}

static void put_history(const json_t *cert, int64_t now_s, struct text *to)
{
    size_t i;
    json_t *order;
    put_list(to, "issued at", json_object_get(cert, "issued_lately"));
    json_array_foreach(json_object_get(cert, "orders"), i, order) put_order(order, now_s, to);
}

void cert_text_show(const json_t *cert, int64_t now_s, struct text *to)
{
    const json_t *users = json_object_get(cert, "used_by");
    const char *source = text_of(cert, "source");
    put_value(to, text_of(cert, "id"));
    text_put(to, !source                           ? STR_NONE
                 : strcmp(source, "file") == 0     ? STR(", from a file")
                 : strcmp(source, "local-ca") == 0 ? STR(", from the local CA")
                                                   : STR(", from an authority"));
    text_byte(to, '\n');
    put_identity(cert, now_s, to);
    put_chain(cert, to);
    put_origin(cert, now_s, to);
    put_renewal(cert, now_s, to);
    put_history(cert, now_s, to);
    if (json_array_size(users) > 0)
        put_list(to, "used by", users);
    else if (users || !json_object_get(cert, "plan"))
        put_row(to, "used by", "no site of the settings: nobody renews it");
}
