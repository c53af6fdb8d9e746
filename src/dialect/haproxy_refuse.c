// SPDX-License-Identifier: Apache-2.0
// Rules that refuse: what can't be asked here refuses more than it did, never less.
#include "dialect/haproxy_walk.h"

unsigned haproxy_status(const struct haproxy_line *l, unsigned otherwise)
{
    for (unsigned i = 1; i + 1 < l->n; i++) {
        struct str value = l->words[i + 1];
        bool is_status = haproxy_is_word(l, i, "deny_status") || haproxy_is_word(l, i, "status");
        if (is_status && value.len == 3 && value.ptr[0] >= '2' && value.ptr[0] <= '5')
            return (unsigned)(value.ptr[0] - '0') * 100 + (unsigned)(value.ptr[1] - '0') % 10 * 10 +
                   (unsigned)(value.ptr[2] - '0') % 10;
    }
    return otherwise;
}

// The one part of a term that is a password or a rate; the others in *ret_rest. NULL: there is
// none, or another unknown one.
static const struct haproxy_expr *special_part(struct haproxy_run *r, const struct haproxy_cond *c,
                                               size_t term, const struct haproxy_expr **ret_rest)
{
    const struct haproxy_expr *found = NULL, *rest = &haproxy_true;
    for (size_t i = 0; i < c->terms[term].n; i++) {
        const struct haproxy_expr *e = c->terms[term].parts[i];
        bool is_special =
            e->kind == HAPROXY_RATE || (e->kind == HAPROXY_NOT && e->a->kind == HAPROXY_AUTH);
        if (is_special && found)
            return NULL;
        if (is_special)
            found = e;
        else
            rest = haproxy_and(r->h->d, rest, e);
    }
    *ret_rest = rest;
    return found && !haproxy_unknown_part(rest) ? found : NULL;
}

// Requests that meet rest pass through this filter from here on.
static void guard(struct haproxy_run *r, const struct haproxy_steps *steps, size_t i,
                  struct haproxy_state *s, const struct haproxy_expr *rest, struct str filter)
{
    if (rest->kind == HAPROXY_FALSE)
        return;
    if (rest->kind == HAPROXY_TRUE) {
        haproxy_state_use(r, s, filter, true);
        return;
    }
    struct haproxy_state some = *s;
    some.cond = haproxy_and(r->h->d, s->cond, rest);
    if (r->n_forks++ >= HAPROXY_FORKS_MAX) {
        haproxy_note(r->h, steps->items[i - 1].line, DRAFT_CLOSED,
                     "there are too many combinations of conditions to make a route of each: all "
                     "for whom it holds are refused");
        haproxy_put_route(r, &some, steps->items[i - 1].line,
                          haproxy_refusal(r->h, 503, steps->items[i - 1].line), STR_NONE);
        return;
    }
    haproxy_state_use(r, &some, filter, true);
    haproxy_walk(r, steps, i, some);
}

// One term of a rule that refuses. True: nobody gets past it.
static bool refuse_term(struct haproxy_run *r, const struct haproxy_steps *steps, size_t i,
                        struct haproxy_state *s, const struct haproxy_cond *c, size_t term)
{
    struct haproxy_line *l = steps->items[i].line;
    bool is_auth = haproxy_is_word(l, 1, "auth");
    unsigned status = haproxy_status(l, haproxy_is_word(l, 1, "tarpit") ? 500 : 403);
    const struct haproxy_expr *rest, *special = special_part(r, c, term, &rest);
    const struct haproxy_expr *e = haproxy_term(r->h->d, c, term);
    if (special && !r->front->is_tcp) {
        struct str filter =
            special->kind == HAPROXY_RATE
                ? haproxy_limit(r, l, special, haproxy_is_word(l, 1, "deny") ? status : 429)
                : haproxy_password(r, l, special->a);
        if (filter.len > 0) {
            guard(r, steps, i + 1, s, rest, filter);
            return false;
        }
    }
    if (e->kind == HAPROXY_FALSE)
        return false;
    const struct haproxy_expr *part = haproxy_unknown_part(e);
    if (part)
        haproxy_note_unknown(r, l, e, DRAFT_CLOSED, "all for whom it could hold are refused");
    else if (is_auth)
        haproxy_note(r->h, l, DRAFT_CLOSED,
                     "it asks for a password without saying whose: all are refused");
    const struct haproxy_expr *most = haproxy_at_most(r->h->d, e);
    if (r->front->is_tcp) {
        s->cond = haproxy_and(r->h->d, s->cond, haproxy_not(r->h->d, most));
        return s->cond->kind == HAPROXY_FALSE;
    }
    struct str filter =
        part || is_auth ? haproxy_refusal(r->h, 403, l) : haproxy_answer(r, l, 2, status);
    return haproxy_put_answer(r, s, most, l, filter);
}

bool haproxy_refuse(struct haproxy_run *r, const struct haproxy_steps *steps, size_t i,
                    struct haproxy_state *s)
{
    struct haproxy_line *l = steps->items[i].line;
    struct haproxy_asked a = haproxy_asking(r, s, false);
    struct haproxy_cond c;
    haproxy_cond_read(&a, l, 1, &c);
    r->used_bind |= a.used_bind;
    struct haproxy_state own = *s;
    haproxy_state_remember(&own, &a);
    for (size_t term = 0; term < c.n; term++)
        if (refuse_term(r, steps, i, &own, &c, term))
            return true;
    s->uses = own.uses;
    s->cond = own.cond;
    return false;
}
