// SPDX-License-Identifier: Apache-2.0
// The API's answers, written from a report (gate/insight.h): in steps, so that whoever asks for
// much holds up nobody. For fibers of workers (internal_api.c) and of the aux thread (api_desk.h).
#pragma once

#include "admin/api_request.h"
#include "gate/insight.h"

struct api_page;

// Takes over a ref of the report. The request's texts are copied.
struct api_page *api_open(const struct report *r, const struct api_request *asked);
// Accepts NULL. Any thread.
void api_close(struct api_page *p);

// Finds what is asked for, a bounded piece of the work. False: there is more to do.
bool api_prepare(struct api_page *p) MUST_CHECK;

// When it is prepared: 200; 404, 400: api_write writes an object with a message for people.
unsigned api_status(const struct api_page *p);
// The number of the page behind this one, 1: there is none; 0: it is no list.
uint64_t api_next_page(const struct api_page *p);

// Adds the next piece of JSON. False: that was the last.
bool api_write(struct api_page *p, struct text *to);

// The answer to a path of which there is nothing, or a query that makes no sense.
void api_put_message(struct str message, struct text *to);
