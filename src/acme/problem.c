// SPDX-License-Identifier: Apache-2.0
#include "acme/problem.h"

#include <stdio.h>

#include "base/ascii.h"
#include "base/text.h"

static const struct {
    struct str type;
    bool is_passing;
    struct str next;
} kinds[] = {
#define X(id, type_, is_passing_, next_)                                                           \
    {.type = STR_INIT(type_), .is_passing = is_passing_, .next = STR_INIT(next_)},
    ACME_PROBLEM_LIST(X)
#undef X
};

// Where the way of proving says more than the problem alone.
static const struct {
    enum acme_problem_kind kind;
    enum acme_challenge_kind challenge;
    struct str in_detail; // empty: any
    struct str next;
} closer[] = {
    {ACME_PROBLEM_DNS, ACME_CHALLENGE_DNS_01, STR_INIT(""),
     STR_INIT("The authority found no TXT record at _acme-challenge.%N: check that the update "
              "reaches all name servers of its zone.")},
    {ACME_PROBLEM_DNS, ACME_CHALLENGE_NONE, STR_INIT("NXDOMAIN"),
     STR_INIT("%N doesn't exist in public DNS (NXDOMAIN): create an A or AAAA record for it that "
              "points to this machine.")},
    {ACME_PROBLEM_DNS, ACME_CHALLENGE_NONE, STR_INIT("no valid A"),
     STR_INIT("%N has no address in public DNS: create an A or AAAA record for it that points to "
              "this machine.")},
    {ACME_PROBLEM_DNS, ACME_CHALLENGE_NONE, STR_INIT("SERVFAIL"),
     STR_INIT("The name servers of %N answer with an error (SERVFAIL): often its DNSSEC is "
              "broken.")},
    {ACME_PROBLEM_CONNECTION, ACME_CHALLENGE_HTTP_01, STR_INIT("efused"),
     STR_INIT("The connection to port 80 of %N was refused: let port 80 through to this machine, "
              "and check that the name's A and AAAA records point to it.")},
    {ACME_PROBLEM_CONNECTION, ACME_CHALLENGE_HTTP_01, STR_INIT(""),
     STR_INIT("The authority couldn't reach port 80 of %N: open it in firewall and router, and "
              "check that the name's A and AAAA records point to this machine.")},
    {ACME_PROBLEM_CONNECTION, ACME_CHALLENGE_TLS_ALPN_01, STR_INIT("efused"),
     STR_INIT("The connection to port 443 of %N was refused: let port 443 through to this "
              "machine, and check that the name's A and AAAA records point to it.")},
    {ACME_PROBLEM_CONNECTION, ACME_CHALLENGE_TLS_ALPN_01, STR_INIT(""),
     STR_INIT("The authority couldn't reach port 443 of %N: open it in firewall and router, and "
              "check that the name's A and AAAA records point to this machine.")},
    {ACME_PROBLEM_UNAUTHORIZED, ACME_CHALLENGE_HTTP_01, STR_INIT(""),
     STR_INIT("Something else answered on port 80 of %N: its A or AAAA record points elsewhere, "
              "or what stands in front of this proxy doesn't pass "
              "/.well-known/acme-challenge/ on.")},
    {ACME_PROBLEM_UNAUTHORIZED, ACME_CHALLENGE_TLS_ALPN_01, STR_INIT(""),
     STR_INIT("Something else answered on port 443 of %N: its A or AAAA record points elsewhere, "
              "or something in front of this proxy ends TLS; try http-01.")},
    {ACME_PROBLEM_UNAUTHORIZED, ACME_CHALLENGE_DNS_01, STR_INIT(""),
     STR_INIT("The TXT record at _acme-challenge.%N is another one or not there: remove old "
              "ones, and check that the update reaches all name servers of its zone.")},
};

static struct str clean(const char *text, struct arena *mem)
{
    struct str copy = arena_dup(mem, str_first(str_of(text), ACME_PROBLEM_TEXT_MAX_BYTES));
    if (!copy.ptr)
        return STR_NONE;
    // NOTE: it goes into logs and to terminals: one line, no controls.
    for (char *at = (char *)(uintptr_t)copy.ptr; at < copy.ptr + copy.len; at++) {
        if ((uint8_t)*at < ' ' || *at == 0x7f)
            *at = ' ';
    }
    return copy;
}

static struct str text_of(const json_t *doc, const char *key, struct arena *mem)
{
    const char *text = json_string_value(json_object_get(doc, key));
    return text ? clean(text, mem) : STR_NONE;
}

static enum acme_problem_kind kind_of(struct str type)
{
    static const struct str prefix = STR_INIT("urn:ietf:params:acme:error:");
    if (!str_starts(type, prefix))
        return ACME_PROBLEM_OTHER;
    struct str name = str_skip(type, prefix.len);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].type.len > 0 && str_eq(kinds[i].type, name))
            return (enum acme_problem_kind)i;
    }
    return ACME_PROBLEM_OTHER;
}

static struct str next_of(const struct acme_problem *p)
{
    for (size_t i = 0; i < ARRAY_LEN(closer); i++) {
        if (closer[i].kind == p->kind &&
            (closer[i].challenge == p->challenge || closer[i].challenge == ACME_CHALLENGE_NONE) &&
            str_search(p->detail, closer[i].in_detail) != STR_NPOS)
            return closer[i].next;
    }
    return kinds[p->kind].next;
}

static void complete(struct acme_problem *p, struct arena *mem)
{
    struct str next = next_of(p), name = p->name.len > 0 ? p->name : STR("the name");
    size_t at = str_search(next, STR("%N"));
    p->is_passing = kinds[p->kind].is_passing;
    p->next_step = at == STR_NPOS
                       ? next
                       : arena_concat(mem, str_first(next, at), name, str_skip(next, at + 2));
}

void acme_problem_set(struct acme_problem *p, struct arena *mem, enum acme_problem_kind kind,
                      const char *fmt, ...)
{
    char text[ACME_PROBLEM_TEXT_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    *p = (struct acme_problem){.kind = kind, .detail = clean(text, mem)};
    complete(p, mem);
}

static void read_one(const json_t *doc, unsigned status, struct arena *mem,
                     struct acme_problem *ret)
{
    *ret = (struct acme_problem){
        .type = text_of(doc, "type", mem),
        .detail = text_of(doc, "detail", mem),
        .status = status,
        .name = text_of(json_object_get(doc, "identifier"), "value", mem),
    };
    json_int_t own = json_integer_value(json_object_get(doc, "status"));
    if (status == 0 && own >= 100 && own <= 599)
        ret->status = (unsigned)own;
    ret->kind = kind_of(ret->type);
    // Other software in front of an authority limits, too, and has other forms for saying so.
    if (ret->kind == ACME_PROBLEM_OTHER && status == 429)
        ret->kind = ACME_PROBLEM_RATE_LIMITED;
    if (ret->kind == ACME_PROBLEM_OTHER && status >= 500)
        ret->kind = ACME_PROBLEM_SERVER_INTERNAL;
    if (ret->detail.len == 0)
        ret->detail = text_of(doc, "title", mem);
    if (ret->detail.len == 0)
        ret->detail = arena_printf(mem, "HTTP status %u", ret->status);
    struct str instance = text_of(doc, "instance", mem);
    if (ret->kind == ACME_PROBLEM_USER_ACTION_REQUIRED && instance.len > 0)
        ret->detail =
            arena_printf(mem, STR_FMT ": " STR_FMT, STR_ARG(ret->detail), STR_ARG(instance));
    complete(ret, mem);
}

void acme_problem_read(const json_t *doc, unsigned status, struct arena *mem,
                       struct acme_problem *ret)
{
    read_one(doc, status, mem, ret);
    const json_t *subs = json_object_get(doc, "subproblems");
    size_t n = MIN(json_array_size(subs), ACME_PROBLEM_SUBS_MAX);
    struct acme_problem *all = n > 0 ? ARENA_ARRAY(mem, struct acme_problem, n) : NULL;
    if (!all)
        return;
    for (size_t i = 0; i < n; i++)
        read_one(json_array_get(subs, i), 0, mem, &all[i]);
    ret->subs = all;
    ret->n_subs = n;
}

void acme_problem_about(struct acme_problem *p, struct str name, enum acme_challenge_kind kind,
                        struct arena *mem)
{
    if (p->name.len == 0)
        p->name = arena_dup(mem, name);
    p->challenge = kind;
    complete(p, mem);
}
