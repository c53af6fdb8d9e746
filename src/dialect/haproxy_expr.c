// SPDX-License-Identifier: Apache-2.0
#include "dialect/haproxy_expr.h"

#include "base/assert.h"

const struct haproxy_expr haproxy_true = {.kind = HAPROXY_TRUE};
const struct haproxy_expr haproxy_false = {.kind = HAPROXY_FALSE};
static const struct haproxy_expr no_memory = {.kind = HAPROXY_UNKNOWN,
                                              .text = STR_INIT("the file is too large")};

static const struct haproxy_expr *make(struct draft *d, struct haproxy_expr e)
{
    struct haproxy_expr *own = ARENA_NEW(&d->mem, struct haproxy_expr);
    if (!own) {
        d->is_full = true;
        return &no_memory;
    }
    *own = e;
    return own;
}

const struct haproxy_expr *haproxy_unknown(struct draft *d, struct str why)
{
    return make(d, (struct haproxy_expr){.kind = HAPROXY_UNKNOWN, .text = why});
}

const struct haproxy_expr *haproxy_rule(struct draft *d, struct str text)
{
    return make(d, (struct haproxy_expr){.kind = HAPROXY_RULE, .text = text});
}

const struct haproxy_expr *haproxy_not(struct draft *d, const struct haproxy_expr *e)
{
    if (e->kind == HAPROXY_TRUE)
        return &haproxy_false;
    if (e->kind == HAPROXY_FALSE)
        return &haproxy_true;
    if (e->kind == HAPROXY_NOT)
        return e->a;
    return make(d, (struct haproxy_expr){.kind = HAPROXY_NOT, .a = e});
}

const struct haproxy_expr *haproxy_and(struct draft *d, const struct haproxy_expr *a,
                                       const struct haproxy_expr *b)
{
    if (a->kind == HAPROXY_FALSE || b->kind == HAPROXY_TRUE || a == b)
        return a;
    if (b->kind == HAPROXY_FALSE || a->kind == HAPROXY_TRUE)
        return b;
    return make(d, (struct haproxy_expr){.kind = HAPROXY_AND, .a = a, .b = b});
}

const struct haproxy_expr *haproxy_or(struct draft *d, const struct haproxy_expr *a,
                                      const struct haproxy_expr *b)
{
    if (a->kind == HAPROXY_TRUE || b->kind == HAPROXY_FALSE || a == b)
        return a;
    if (b->kind == HAPROXY_TRUE || a->kind == HAPROXY_FALSE)
        return b;
    return make(d, (struct haproxy_expr){.kind = HAPROXY_OR, .a = a, .b = b});
}

const struct haproxy_expr *haproxy_unknown_part(const struct haproxy_expr *e)
{
    switch (e->kind) {
    case HAPROXY_TRUE:
    case HAPROXY_FALSE:
    case HAPROXY_RULE:
        return NULL;
    case HAPROXY_UNKNOWN:
    case HAPROXY_AUTH:
    case HAPROXY_RATE:
        return e;
    case HAPROXY_NOT:
    case HAPROXY_AND:
    case HAPROXY_OR:
        break;
    }
    const struct haproxy_expr *part = haproxy_unknown_part(e->a);
    return part || e->kind == HAPROXY_NOT ? part : haproxy_unknown_part(e->b);
}

// otherwise: what an unknown part counts as.
static const struct haproxy_expr *bound(struct draft *d, const struct haproxy_expr *e,
                                        const struct haproxy_expr *otherwise)
{
    switch (e->kind) {
    case HAPROXY_TRUE:
    case HAPROXY_FALSE:
    case HAPROXY_RULE:
        return e;
    case HAPROXY_UNKNOWN:
    case HAPROXY_AUTH:
    case HAPROXY_RATE:
        return otherwise;
    case HAPROXY_NOT:
        return haproxy_not(
            d, bound(d, e->a, otherwise == &haproxy_true ? &haproxy_false : &haproxy_true));
    case HAPROXY_AND:
        return haproxy_and(d, bound(d, e->a, otherwise), bound(d, e->b, otherwise));
    case HAPROXY_OR:
        return haproxy_or(d, bound(d, e->a, otherwise), bound(d, e->b, otherwise));
    }
    return otherwise;
}

const struct haproxy_expr *haproxy_at_most(struct draft *d, const struct haproxy_expr *e)
{
    return haproxy_unknown_part(e) ? bound(d, e, &haproxy_true) : e;
}

static bool is_equal(const struct haproxy_expr *a, const struct haproxy_expr *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || a->kind == HAPROXY_UNKNOWN || a->kind == HAPROXY_AUTH ||
        a->kind == HAPROXY_RATE)
        return false;
    if (a->kind == HAPROXY_RULE)
        return str_eq(a->text, b->text);
    if (a->kind == HAPROXY_TRUE || a->kind == HAPROXY_FALSE)
        return true;
    return is_equal(a->a, b->a) && (a->kind == HAPROXY_NOT || is_equal(a->b, b->b));
}

bool haproxy_is_contrary(const struct haproxy_expr *a, const struct haproxy_expr *b)
{
    return (a->kind == HAPROXY_NOT && is_equal(a->a, b)) ||
           (b->kind == HAPROXY_NOT && is_equal(b->a, a));
}

static void put(const struct haproxy_expr *e, struct text *to);

static void put_operand(const struct haproxy_expr *e, enum haproxy_expr_kind outer, struct text *to)
{
    bool is_loose = (e->kind == HAPROXY_OR && outer != HAPROXY_OR) ||
                    (e->kind == HAPROXY_AND && outer == HAPROXY_NOT);
    if (is_loose)
        text_byte(to, '(');
    put(e, to);
    if (is_loose)
        text_byte(to, ')');
}

static void put(const struct haproxy_expr *e, struct text *to)
{
    switch (e->kind) {
    case HAPROXY_TRUE:
        text_put(to, STR("PathPrefix(`/`)"));
        return;
    case HAPROXY_RULE:
        text_put(to, e->text);
        return;
    case HAPROXY_NOT:
        text_byte(to, '!');
        put_operand(e->a, HAPROXY_NOT, to);
        return;
    case HAPROXY_AND:
    case HAPROXY_OR:
        put_operand(e->a, e->kind, to);
        text_put(to, e->kind == HAPROXY_AND ? STR(" && ") : STR(" || "));
        put_operand(e->b, e->kind, to);
        return;
    case HAPROXY_FALSE:
    case HAPROXY_UNKNOWN:
    case HAPROXY_AUTH:
    case HAPROXY_RATE:
        break;
    }
    panic("haproxy: an expression of kind %d is no rule", (int)e->kind);
}

struct str haproxy_expr_text(struct draft *d, const struct haproxy_expr *e, bool is_tcp)
{
    struct text t = {.len = 0};
    if (is_tcp && e->kind == HAPROXY_TRUE) {
        text_put(&t, STR("HostSNI(`*`)"));
    } else {
        put_operand(e, is_tcp ? HAPROXY_AND : HAPROXY_OR, &t);
        // What makes it a rule for connections.
        if (is_tcp && str_search(text_str(&t), STR("HostSNI")) == STR_NPOS) {
            struct text inner = t;
            t = (struct text){.len = 0};
            text_printf(&t, "HostSNI(`*`) && " STR_FMT, STR_ARG(text_str(&inner)));
            text_fini(&inner);
        }
    }
    struct str text = draft_text(d, text_str(&t));
    text_fini(&t);
    return text;
}
