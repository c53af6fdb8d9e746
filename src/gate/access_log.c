// SPDX-License-Identifier: Apache-2.0
#include "gate/access_log.h"

#include "base/ascii.h"
#include "base/map.h"
#include "codec/date.h"
#include "codec/json.h"
#include "codec/url.h"
#include "gate/access_log_fields.h"
#include "gate/settings.h"

#define STEPS_MAX 128
#define REDACTED STR("***")

enum step_kind {
    STEP_LITERAL,
    STEP_FIELD,
    STEP_REQUEST_HEADER,
    STEP_ANSWER_HEADER,
};

struct step {
    enum step_kind kind;
    const struct access_field *field; // STEP_FIELD
    struct str text;                  // the literal, or the header's name
    bool is_secret;                   // a header whose value is redacted
};

struct access_log {
    bool is_json;
    unsigned n_steps;
    struct step *steps;       // in the snapshot's arena
    struct conf_texts redact; // borrows: the settings
};

#define COMMON "{client} - {user} [{date}] \"{request}\" {status} {bytes-out}"
#define COMBINED COMMON " \"{header:Referer}\" \"{header:User-Agent}\""

static const struct {
    struct str name;
    struct str format;
} presets[] = {
    {STR_INIT("common"), STR_INIT(COMMON)},
    {STR_INIT("combined"), STR_INIT(COMBINED)},
};

static bool is_redacted(const struct access_log *log, struct str name)
{
    for (size_t i = 0; i < log->redact.n; i++) {
        if (str_ieq(log->redact.items[i].text, name))
            return true;
    }
    return false;
}

static struct str expand_preset(struct str format)
{
    for (size_t i = 0; i < ARRAY_LEN(presets); i++) {
        if (str_eq(format, presets[i].name))
            return presets[i].format;
    }
    return format;
}

// One "{name}" without its braces.
static enum err compile_field(struct str name, const struct conf_text *format, struct step *ret,
                              struct diags *diags)
{
    struct str kind, header;
    if (str_cut(name, ':', &kind, &header)) {
        bool is_request = str_eq(kind, STR("header"));
        if ((!is_request && !str_eq(kind, STR("answer-header"))) || header.len == 0)
            goto unknown;
        *ret = (struct step){.kind = is_request ? STEP_REQUEST_HEADER : STEP_ANSWER_HEADER,
                             .text = header};
        return ERR_OK;
    }
    const struct access_field *field = access_field_find(name);
    if (!field)
        goto unknown;
    *ret = (struct step){.kind = STEP_FIELD, .field = field};
    return ERR_OK;
unknown:
    return diag_fail(diags, ERR_SYNTAX, format->place,
                     "the format names {" STR_FMT "}; allowed are the fields of 'sallyport print "
                     "access-log-fields', {header:NAME} and {answer-header:NAME}",
                     STR_ARG(name));
}

static enum err compile(const struct conf_text *format, struct step *steps, unsigned *ret_n,
                        struct diags *diags)
{
    struct str rest = expand_preset(format->text);
    unsigned n = 0;
    while (rest.len > 0) {
        struct step step = {.kind = STEP_LITERAL};
        size_t open = MIN(str_find(rest, '{'), rest.len);
        if (open > 0) {
            step.text = str_first(rest, open);
            rest = str_skip(rest, open);
        } else {
            size_t end = str_find(rest, '}');
            if (end == STR_NPOS)
                return diag_fail(diags, ERR_SYNTAX, format->place,
                                 "the format has a '{' without its '}'");
            enum err err = compile_field(str_from(rest.ptr + 1, end - 1), format, &step, diags);
            if (err != ERR_OK)
                return err;
            rest = str_skip(rest, end + 1);
        }
        if (n == STEPS_MAX)
            return diag_fail(diags, ERR_LIMIT, format->place, "the format has more than %d parts",
                             STEPS_MAX);
        if (steps)
            steps[n] = step;
        n++;
    }
    *ret_n = n;
    return ERR_OK;
}

enum err access_log_check_format(const struct conf_text *format, struct diags *diags)
{
    unsigned ignored;
    if (str_eq(format->text, STR("json")))
        return ERR_OK;
    if (str_find(format->text, '{') == STR_NPOS &&
        expand_preset(format->text).ptr == format->text.ptr)
        return diag_fail(diags, ERR_SYNTAX, format->place,
                         "the format '" STR_FMT
                         "' names no field; allowed are common, combined, json "
                         "and texts with {fields}",
                         STR_ARG(format->text));
    return compile(format, NULL, &ignored, diags);
}

struct access_log *access_log_build(const struct access_log_conf *conf, struct arena *mem)
{
    if (!conf->is_on)
        return NULL;
    struct access_log *log = ARENA_NEW(mem, struct access_log);
    if (!log)
        return NULL;
    log->redact = conf->redact;
    log->is_json = str_eq(conf->format.text, STR("json"));
    if (log->is_json)
        return log;
    log->steps = ARENA_ARRAY(mem, struct step, STEPS_MAX);
    if (!log->steps || compile(&conf->format, log->steps, &log->n_steps, NULL) != ERR_OK)
        return NULL;
    for (unsigned i = 0; i < log->n_steps; i++) {
        struct step *s = &log->steps[i];
        if (s->kind == STEP_REQUEST_HEADER || s->kind == STEP_ANSWER_HEADER)
            s->is_secret = is_redacted(log, s->text);
    }
    return log;
}

// A target or URL with the values of secret query parameters replaced.
static struct str redact_query(const struct access_log *log, struct str url, struct arena *mem)
{
    size_t mark = str_find(url, '?');
    if (mark == STR_NPOS || log->redact.n == 0)
        return url;
    // A value of one byte becomes three.
    char *buf = ARENA_ARRAY(mem, char, url.len * 2);
    if (!buf)
        return REDACTED;
    struct writer w;
    writer_init(&w, buf, url.len * 2);
    writer_put(&w, str_first(url, mark + 1));
    struct str rest = str_skip(url, mark + 1);
    for (bool has_more = true; has_more;) {
        struct str pair, name, value;
        has_more = str_cut(rest, '&', &pair, &rest);
        str_cut(pair, '=', &name, &value);
        bool is_secret = value.len > 0 && is_redacted(log, url_decode(name, true, mem));
        writer_put(&w, is_secret ? str_first(pair, name.len + 1) : pair);
        if (is_secret)
            writer_put(&w, REDACTED);
        if (has_more)
            writer_byte(&w, '&');
    }
    return writer_str(&w);
}

static struct str text_of(const struct access_log *log, const struct access_field *field,
                          const struct exchange *x)
{
    struct str text = field->text(x);
    return field->has_query ? redact_query(log, text, x->mem) : text;
}

static void put_escaped(struct writer *w, struct str s)
{
    if (s.len == 0)
        writer_byte(w, '-');
    else
        log_escape(w, s);
}

static void put_header(const struct access_log *log, struct writer *w, const struct step *s,
                       const struct headers *h, const struct exchange *x)
{
    const struct field *field = headers_find_named(h, s->text);
    if (!field)
        writer_byte(w, '-');
    else if (s->is_secret)
        writer_put(w, REDACTED);
    else
        put_escaped(w, field->id == FIELD_REFERER ? redact_query(log, field->value, x->mem)
                                                  : field->value);
}

static void put_milliseconds(struct writer *w, int64_t ns)
{
    int64_t us = ns / 1000;
    writer_dec(w, (uint64_t)(us / 1000));
    writer_byte(w, '.');
    for (int64_t digit = 100; digit > 0; digit /= 10)
        writer_byte(w, (char)('0' + us / digit % 10));
}

static void put_number(struct writer *w, const struct access_field *field, const struct exchange *x,
                       struct str none)
{
    int64_t number = field->number(x);
    if (number < 0)
        writer_put(w, none);
    else if (field->is_time)
        put_milliseconds(w, number);
    else
        writer_dec(w, (uint64_t)number);
}

static void put_date(struct writer *w, bool is_iso, int64_t wall_ns)
{
    // Workers write many lines a second: the text of this second is kept.
    static _Thread_local int64_t cached_s = INT64_MIN;
    static _Thread_local char cached[DATE_CLF_BYTES];
    if (is_iso) {
        char iso[DATE_ISO_BYTES];
        date_iso(wall_ns, iso);
        writer_put(w, str_from(iso, sizeof iso));
        return;
    }
    if (cached_s != wall_ns / 1000000000) {
        cached_s = wall_ns / 1000000000;
        date_clf(cached_s, cached);
    }
    writer_put(w, str_from(cached, sizeof cached));
}

static void put_trail(struct writer *w, const struct exchange *x, bool is_json)
{
    char text[2048];
    struct writer t;
    writer_init(&t, text, sizeof text);
    trail_write(&x->trail, &t);
    if (is_json)
        json_put_str(w, writer_str(&t));
    else
        put_escaped(w, writer_str(&t));
}

static void put_request(const struct access_log *log, struct writer *w, const struct exchange *x)
{
    if (x->req.method.len == 0) {
        writer_byte(w, '-');
        return;
    }
    log_escape(w, x->req.method);
    writer_byte(w, ' ');
    log_escape(w, redact_query(log, x->req.target, x->mem));
    writer_byte(w, ' ');
    writer_put(w, access_version(x));
}

static void put_field(const struct access_log *log, struct writer *w,
                      const struct access_field *field, const struct exchange *x, int64_t wall_ns)
{
    switch (field->kind) {
    case ACCESS_TEXT:
        put_escaped(w, text_of(log, field, x));
        break;
    case ACCESS_NUMBER:
        put_number(w, field, x, STR("-"));
        break;
    case ACCESS_DATE:
        put_date(w, false, wall_ns);
        break;
    case ACCESS_TIME:
        put_date(w, true, wall_ns);
        break;
    case ACCESS_TRAIL:
        put_trail(w, x, false);
        break;
    case ACCESS_REQUEST:
        put_request(log, w, x);
        break;
    }
}

static void write_json(const struct access_log *log, struct writer *w, const struct exchange *x,
                       int64_t wall_ns)
{
    for (size_t i = 0; i < access_n_fields; i++) {
        const struct access_field *field = &access_fields[i];
        if (field->is_composed)
            continue;
        writer_put(w, i == 0 ? STR("{\"") : STR(",\""));
        writer_put(w, field->name);
        writer_put(w, STR("\":"));
        switch (field->kind) {
        case ACCESS_TEXT:
            json_put_str(w, text_of(log, field, x));
            break;
        case ACCESS_NUMBER:
            put_number(w, field, x, STR("null"));
            break;
        case ACCESS_DATE:
        case ACCESS_TIME:
            writer_byte(w, '"');
            put_date(w, field->kind == ACCESS_TIME, wall_ns);
            writer_byte(w, '"');
            break;
        case ACCESS_TRAIL:
            put_trail(w, x, true);
            break;
        case ACCESS_REQUEST: // is_composed
            break;
        }
    }
    writer_put(w, STR("}\n"));
}

size_t access_log_write(const struct access_log *log, const struct exchange *x, int64_t wall_ns,
                        char *buf, size_t n)
{
    struct writer w;
    writer_init(&w, buf, n);
    if (log->is_json) {
        write_json(log, &w, x, wall_ns);
        return w.overflowed ? 0 : w.len;
    }
    for (unsigned i = 0; i < log->n_steps; i++) {
        const struct step *s = &log->steps[i];
        switch (s->kind) {
        case STEP_LITERAL:
            writer_put(&w, s->text);
            break;
        case STEP_FIELD:
            put_field(log, &w, s->field, x, wall_ns);
            break;
        case STEP_REQUEST_HEADER:
            put_header(log, &w, s, &x->req.headers, x);
            break;
        case STEP_ANSWER_HEADER:
            put_header(log, &w, s, &x->resp.headers, x);
            break;
        }
    }
    writer_byte(&w, '\n');
    return w.overflowed ? 0 : w.len;
}

void access_log_print_fields(struct text *to)
{
    text_put(to, STR("| field | meaning |\n|---|---|\n"));
    for (size_t i = 0; i < access_n_fields; i++)
        text_printf(to, "| `{" STR_FMT "}` | %s |\n", STR_ARG(access_fields[i].name),
                    access_fields[i].doc);
    text_put(to, STR("| `{header:NAME}` | a field of the request |\n"
                     "| `{answer-header:NAME}` | a field of the answer |\n"));
}
