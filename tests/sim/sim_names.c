// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_names.h"

#include "base/assert.h"

struct sim_name {
    struct sim_name *next;
    struct sim_names *names;
    struct server_state *server; // holds; NULL: no longer
};

static void answer(void *arg, uint64_t tag);

static void let_go(struct sim_name *name)
{
    sim_log("name " STR_FMT " isn't watched any more", STR_ARG(name->server->host));
    registry_unwatch(name->server);
    name->server = NULL;
}

static void put_addresses(struct sim_name *name)
{
    const struct sim_names *n = name->names;
    struct ip addrs[SIM_NAMES_HOSTS_MAX];
    size_t n_addrs = 0;
    size_t must = sim_below((uint32_t)n->n_hosts);
    for (size_t i = 0; i < n->n_hosts; i++) {
        if (i == must || sim_chance(40))
            addrs[n_addrs++] = (struct ip){.family = 4, .bytes = {10, 0, 0, n->hosts[i]}};
    }
    bool is_news = registry_put_answer(name->server, addrs, n_addrs, NULL);
    sim_log("name " STR_FMT " has %u addresses%s", STR_ARG(name->server->host), (unsigned)n_addrs,
            is_news ? "" : " as before");
}

static void answer(void *arg, uint64_t tag)
{
    struct sim_name *name = arg;
    const struct sim_names *n = name->names;
    (void)tag;
    if (!name->server)
        return;
    if (!registry_is_wanted(name->server)) {
        let_go(name);
        return;
    }
    bool is_failure = sim_chance(n->failure_percent);
    if (is_failure) {
        sim_log("name " STR_FMT " can't be resolved", STR_ARG(name->server->host));
        (void)registry_put_answer(name->server, NULL, 0, "the name can't be resolved");
    } else {
        put_addresses(name);
    }
    if (is_failure)
        sim_in(SIM_S, answer, name, 0);
    else if (n->each_max_ns > 0)
        sim_in(sim_between(SIM_MS, n->each_max_ns), answer, name, 0);
}

static void on_mail(struct rt_mail *mail)
{
    struct sim_names *n = CONTAINER_OF(mail, struct sim_names, inbox.mail);
    struct message *m = registry_open(n->registry, &n->inbox, 0);
    ASSERT(m == NULL);
    for (struct sim_name *name = n->all; name; name = name->next) {
        if (name->server && !registry_is_wanted(name->server))
            let_go(name);
    }
    struct server_state *server;
    while ((server = registry_watch_next(n->registry)) != NULL) {
        struct sim_name *name = sim_alloc(sizeof *name);
        *name = (struct sim_name){.next = n->all, .names = n, .server = server};
        n->all = name;
        sim_in(sim_between(0, n->first_max_ns), answer, name, 0);
    }
}

void sim_names_start(struct sim_names *n, struct upstream_registry *r, struct rt_loop *loop)
{
    *n = (struct sim_names){.registry = r, .hosts = {1}, .n_hosts = 1};
    n->inbox.mail.fn = on_mail;
    n->inbox.loop = loop;
    registry_join_resolver(r, &n->inbox);
}

void sim_names_stop(struct sim_names *n)
{
    registry_leave_resolver(n->registry);
    for (struct sim_name *name = n->all; name; name = name->next) {
        if (name->server)
            let_go(name);
    }
}
