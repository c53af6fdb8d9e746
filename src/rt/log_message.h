// SPDX-License-Identifier: Apache-2.0
// Lines of a log as messages for syslog (RFC 5424) and journald. Pure.
#pragma once

#include "base/writer.h"
#include "rt/log_ring.h"

// What messages say of who sends them.
struct log_sender {
    struct str host; // "-" when unknown
    struct str kind; // "keeper", "gate" or "access": the MSGID
    uint32_t pid;
    uint32_t facility;
};

// "<PRI>1 TIME HOST sallyport PID KIND - TEXT" with at most text_max bytes of text, which is made
// one line. now_ns: the time of lines that don't begin with theirs.
void log_message_syslog(struct writer *w, const struct log_sender *from,
                        const struct log_entry *entry, size_t text_max, int64_t now_ns);

// One datagram of journald's native protocol.
void log_message_journal(struct writer *w, const struct log_sender *from,
                         const struct log_entry *entry, size_t text_max);

// Headers of both are shorter than this.
#define LOG_MESSAGE_HEAD_BYTES 512
