// SPDX-License-Identifier: Apache-2.0
#include "rt/log_message.h"

#include "codec/date.h"
#include "rt/log.h"

#define APP_NAME "sallyport"
#define HOST_MAX_BYTES 255 // RFC 5424 6

// RFC 5424 6.2.1
static unsigned severity_of(const struct log_entry *entry)
{
    switch ((enum log_level)entry->level) {
    case LOG_ERROR:
        return 3;
    case LOG_WARN:
        return 4;
    case LOG_INFO:
        return 6;
    case LOG_DEBUG:
        return 7;
    }
    return 6;
}

// At most max bytes of s that end between two characters of UTF-8.
static struct str cut_text(struct str s, size_t max)
{
    if (s.len <= max)
        return s;
    while (max > 0 && ((uint8_t)s.ptr[max] & 0xc0) == 0x80)
        max--;
    return str_first(s, max);
}

// Without what the message's header says, and as one line whatever an access log's format has.
static void put_text(struct writer *w, const struct log_entry *entry, size_t text_max)
{
    struct str text = str_skip(entry->line, entry->own_bytes);
    if (str_ends(text, STR("\n")))
        text.len--;
    text = cut_text(text, text_max);
    for (size_t i = 0; i < text.len; i++)
        writer_byte(w, (uint8_t)text.ptr[i] < ' ' || text.ptr[i] == 0x7f ? ' ' : text.ptr[i]);
}

// PRINTUSASCII (RFC 5424 6): no spaces, no bytes beyond ASCII.
static void put_host(struct writer *w, struct str host)
{
    host = str_first(host, HOST_MAX_BYTES);
    for (size_t i = 0; i < host.len; i++)
        writer_byte(w, host.ptr[i] > ' ' && host.ptr[i] <= '~' ? host.ptr[i] : '_');
    if (host.len == 0)
        writer_byte(w, '-');
}

void log_message_syslog(struct writer *w, const struct log_sender *from,
                        const struct log_entry *entry, size_t text_max, int64_t now_ns)
{
    char date[DATE_ISO_BYTES];
    struct str when = str_first(entry->line, DATE_ISO_BYTES);
    if (entry->own_bytes < DATE_ISO_BYTES) {
        date_iso(now_ns, date);
        when = str_from(date, sizeof date);
    }
    writer_byte(w, '<');
    writer_dec(w, from->facility * 8 + severity_of(entry));
    writer_put(w, STR(">1 "));
    writer_put(w, when);
    writer_byte(w, ' ');
    put_host(w, from->host);
    writer_put(w, STR(" " APP_NAME " "));
    writer_dec(w, from->pid);
    writer_byte(w, ' ');
    writer_put(w, from->kind);
    writer_put(w, STR(" - "));
    put_text(w, entry, text_max);
}

static void put_number(struct writer *w, struct str name, uint64_t value)
{
    writer_put(w, name);
    writer_dec(w, value);
    writer_byte(w, '\n');
}

void log_message_journal(struct writer *w, const struct log_sender *from,
                         const struct log_entry *entry, size_t text_max)
{
    put_number(w, STR("PRIORITY="), severity_of(entry));
    put_number(w, STR("SYSLOG_FACILITY="), from->facility);
    writer_put(w, STR("SYSLOG_IDENTIFIER=" APP_NAME "\n"));
    put_number(w, STR("SYSLOG_PID="), from->pid);
    writer_put(w, STR("SALLYPORT_KIND="));
    writer_put(w, from->kind);
    writer_put(w, STR("\nMESSAGE="));
    put_text(w, entry, text_max);
    writer_byte(w, '\n');
}
