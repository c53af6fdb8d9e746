// SPDX-License-Identifier: Apache-2.0
// hsts of sites: Strict-Transport-Security (RFC 6797).
#include "filter/common.h"
#include "http/env.h"
#include "tls/info.h"

struct hsts {
    struct filter_base base;
    struct str value;
};

// Not over plain HTTP, where it would prove nothing (RFC 6797 7.2), and not with a certificate that
// clients don't trust by themselves: they would be locked out, also of the one that comes later.
static bool may_promise(const struct exchange *x)
{
    return x->tls && !x->tls->is_local_ca;
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct hsts *f = (const struct hsts *)(const void *)h;
    enum err err = handler_serve(h->next, x);
    if (err != ERR_OK || !may_promise(x))
        return err;
    // One field alone counts (RFC 6797 8.1): ours, not a server's.
    if (headers_set(&x->resp.headers, FIELD_STRICT_TRANSPORT_SECURITY, f->value) != ERR_OK)
        return filter_exhausted(x);
    return ERR_OK;
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct hsts *f = (const struct hsts *)(const void *)h;
    if (!x->entry->is_tls)
        return STR("passes on: it isn't for plain HTTP");
    return arena_printf(x->mem,
                        "adds Strict-Transport-Security: " STR_FMT
                        ", unless the certificate is the local CA's",
                        STR_ARG(f->value));
}

static const struct handler_type type = {.name = "hsts", .serve = serve, .explain = explain};

struct handler *filter_hsts(struct str value, const struct handler *next,
                            const struct filter_env *env)
{
    struct hsts *f = filter_new(env, sizeof *f, &type, STR("hsts"), next);
    if (!f)
        return NULL;
    f->value = value;
    return &f->base.handler;
}
