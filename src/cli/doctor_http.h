// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 as a strange client speaks it: one request, all of the answer. Blocks.
#pragma once

#include "base/text.h"
#include "codec/h1.h"
#include "codec/ip.h"

#define DOCTOR_ANSWER_MAX_BYTES ((size_t)64 << 10)

// A blocking connection whose reads and writes time out. -1 with errno.
int doctor_connect(const struct ip *address, uint16_t port);
bool doctor_send(int fd, struct str bytes);
// A GET of path that closes the connection. host: as in the field.
void doctor_put_request(struct text *to, struct str host, const char *path);
// What comes until the end, a time-out, or DOCTOR_ANSWER_MAX_BYTES.
void doctor_read_to_end(int fd, struct text *to);
// False: it is no answer of HTTP/1.1. *ret_body: what follows the head.
bool doctor_read_answer(struct str bytes, struct field fields[static H1_FIELDS_MAX],
                        struct h1_response *ret, struct str *ret_body);
