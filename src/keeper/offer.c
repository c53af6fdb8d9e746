// SPDX-License-Identifier: Apache-2.0
#include "keeper/offer.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "keeper/control_path.h"
#include "rt/file.h"

static unsigned count_cpus(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

// What belongs to a process for its life: threads, its user, the sizes of its pools, its sandbox,
// its file.
static struct str describe_fixed(const struct settings *s, unsigned n_workers)
{
    struct text t = {.ptr = NULL};
    text_printf(&t, "%u workers, user " STR_FMT ", %u connections, sandbox %u", n_workers,
                STR_ARG(s->user.text), s->conns_max, s->sandbox);
    text_printf(&t, ", resolver %lld ms", (long long)s->resolver.timeout_ms);
    for (size_t i = 0; i < s->resolver.servers.n; i++)
        text_printf(&t, " " STR_FMT, STR_ARG(s->resolver.servers.items[i].text));
    if (s->spool.is_on)
        text_printf(&t, ", spool " STR_FMT " %llu", STR_ARG(s->spool.folder.text),
                    (unsigned long long)s->spool.max_bytes);
    return text_str(&t);
}

static bool choose_control_path(const struct control_conf *conf, struct diags *diags,
                                struct offer *o)
{
    o->control_path[0] = '\0';
    if (!conf->is_on)
        return true;
    if (conf->socket.text.len >= sizeof o->control_path)
        return diag_fail(diags, ERR_RANGE, conf->socket.place, "the socket's path is too long") ==
               ERR_OK;
    if (conf->socket.text.len > 0) {
        memcpy(o->control_path, conf->socket.text.ptr, conf->socket.text.len);
        o->control_path[conf->socket.text.len] = '\0';
        return true;
    }
    o->is_control_default = true;
    if (!control_default_path(o->control_path, sizeof o->control_path))
        diag_warn(diags, (struct place){.line = 0},
                  "the control socket's default path is too long: there is none");
    return true;
}

static int seal_tree(const struct conf_node *root, struct diags *diags)
{
    struct text packed = {.ptr = NULL};
    conf_node_pack(root, &packed);
    int fd = file_sealed("sallyport settings", text_str(&packed));
    if (fd < 0)
        diag_fail(diags, ERR_SYSTEM, (struct place){.line = 0},
                  "no memory file for the settings: %s", strerror(errno));
    text_wipe(&packed);
    return fd;
}

// A copy of a map without a key; the nodes below are shared. NULL: no memory.
static struct conf_node *without(const struct conf_node *map, struct str key, struct arena *mem)
{
    struct conf_node *to = conf_node_new(mem, CONF_NODE_MAP, map->place);
    for (const struct conf_node *n = map->first; to && n; n = n->next) {
        if (str_eq(n->key, key))
            continue;
        struct conf_node *copy = ARENA_NEW(mem, struct conf_node);
        if (!copy)
            return NULL;
        *copy = *n;
        copy->next = NULL;
        conf_node_append(to, copy);
    }
    return to;
}

// Without accounts' keys, those that engines are shown, and without the URL that says who may have
// certificates on demand, which may hold a secret.
static struct conf_node *tree_for_gate(struct loaded *l)
{
    struct conf_node *root = without(l->root, STR("issuers"), &l->mem);
    root = root ? without(root, STR("providers"), &l->mem) : NULL;
    const struct conf_node *demand = root ? conf_node_get(root, STR("on-demand")) : NULL;
    if (!demand || demand->kind != CONF_NODE_MAP)
        return root;
    struct conf_node *rest = without(demand, STR("ask"), &l->mem);
    root = rest ? without(root, STR("on-demand"), &l->mem) : NULL;
    if (root)
        conf_node_put(root, STR("on-demand"), rest);
    return root;
}

static bool seal_settings(struct loaded *l, struct offer *o)
{
    const struct conf_node *for_gate = tree_for_gate(l);
    o->settings_fd = seal_tree(l->root, &l->diags);
    o->gate_fd = for_gate ? seal_tree(for_gate, &l->diags) : -1;
    return o->settings_fd >= 0 && o->gate_fd >= 0;
}

bool offer_prepare(struct loaded *l, uint64_t seq, struct listeners *listeners, struct offer *ret)
{
    const struct settings *settings = &l->snapshot->settings;
    struct offer o = NO_OFFER;
    o.seq = seq;
    o.drain_ms = settings->drain_ms;
    o.log_level = (enum log_level)settings->log.level;
    o.log_format = (enum log_format)settings->log.format;
    if (wish_check_files(l->snapshot, time(NULL), &l->diags) != ERR_OK)
        return false;
    if (workers_parse(&settings->workers, count_cpus(), &l->diags, &o.n_workers) != ERR_OK ||
        !choose_control_path(&settings->control, &l->diags, &o))
        return false;
    o.fixed = describe_fixed(settings, o.n_workers);
    bool is_fine = logs_open(settings, &l->diags, &o.logs);
    is_fine = spool_file_plan(settings, &l->diags, &o.spool) && is_fine;
    is_fine = seal_settings(l, &o) && is_fine;
    if (is_fine && listeners_plan(listeners, l->snapshot, o.n_workers, &l->diags)) {
        o.wish = wish_new(l->snapshot);
        *ret = o;
        return true;
    }
    offer_fini(&o);
    return false;
}

bool offer_load(const struct offer *o, struct loaded *ret)
{
    struct str bytes;
    load_begin(ret);
    if (!file_map_sealed(o->settings_fd, &bytes))
        return false;
    struct str own = arena_dup(&ret->mem, bytes);
    file_unmap(bytes);
    struct conf_node *root = conf_node_unpack(own, &ret->mem);
    return root && load_tree(ret, root, NULL);
}

bool offer_fits(const struct offer *old, const struct offer *new)
{
    return str_eq(old->fixed, new->fixed);
}

void offer_fini(struct offer *o)
{
    if (o->settings_fd >= 0)
        close(o->settings_fd);
    if (o->gate_fd >= 0)
        close(o->gate_fd);
    if (o->seq > 0)
        logs_close(&o->logs);
    mem_free((void *)(uintptr_t)o->fixed.ptr);
    spool_file_fini(&o->spool);
    wish_free(o->wish);
    *o = NO_OFFER;
}
