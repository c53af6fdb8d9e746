// SPDX-License-Identifier: Apache-2.0
#include "keeper/wish_demand.h"

#include "keeper/wish_issuers.h"

#define PICO_PER_MICRO 1000000

static const struct str any_name = STR_INIT("any.example.com");

static void choose_sources(struct wish *w, const struct snapshot *s, struct demand_wish *to)
{
    struct str one;
    struct issue_need need = {.n_names = 0};
    to->issuer = wish_issuers_choose(w, &s->settings, &s->settings.on_demand.issuer, &any_name, 1,
                                     &one, &need);
    to->sources = need.sources;
    to->n_sources = need.n_sources;
}

static struct str *copy_allow(struct wish *w, const struct demand_rules *r)
{
    struct str *copy = ARENA_ARRAY(&w->mem, struct str, r->n_allow + 1);
    if (!copy)
        panic("the settings allow more names than fit");
    for (size_t i = 0; i < r->n_allow; i++)
        copy[i] = arena_dup(&w->mem, r->allow[i]);
    return copy;
}

void wish_demand_add(struct wish *w, const struct snapshot *s)
{
    const struct demand_conf *c = &s->settings.on_demand;
    if (!s->demand)
        return;
    w->demand = (struct demand_wish){
        .allow = copy_allow(w, s->demand),
        .n_allow = s->demand->n_allow,
        .ask = arena_dup(&w->mem, c->ask.text),
        .limit = MAX(c->limit / PICO_PER_MICRO, (uint64_t)1),
        .names_max = c->names_max,
        .forget_s = c->forget_ms / 1000,
    };
    choose_sources(w, s, &w->demand);
    w->demand.is_on = w->demand.n_sources > 0;
}

enum err wish_demand_check(const struct snapshot *s, struct diags *diags)
{
    const struct demand_conf *c = &s->settings.on_demand;
    enum err err = ERR_OK;
    bool is_local = c->issuer.n == 1 && str_eq(c->issuer.items[0].text, STR(CERTS_ISSUER_LOCAL));
    if (!c->is_on)
        return ERR_OK;
    if (c->allow.n == 0 && c->ask.text.len == 0)
        err = diag_fail(diags, ERR_SYNTAX, c->place,
                        "'on-demand' needs 'allow' or 'ask': without either, strangers could have "
                        "certificates ordered for any name, until the authority orders no more");
    if (is_local || (s->settings.issuers.n == 0 && s->settings.email.text.len == 0))
        err = diag_fail(diags, ERR_SYNTAX, c->place,
                        "'on-demand' needs an authority: set 'email' or 'issuers'");
    if (!s->doors)
        diag_warn(diags, c->place, "'on-demand' does nothing: no entrypoint speaks TLS");
    return err;
}
