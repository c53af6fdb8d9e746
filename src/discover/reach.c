// SPDX-License-Identifier: Apache-2.0
#include "discover/reach.h"

#include "base/ascii.h"
#include "base/num.h"

#define ID_BYTES 64
#define SHORT_ID_BYTES 12

// --- who am I ---

// The first 64 hexadecimal digits in a row.
static struct str find_id(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        n = ascii_is(s.ptr[i], ASCII_HEX) ? n + 1 : 0;
        bool is_last = i + 1 == s.len || !ascii_is(s.ptr[i + 1], ASCII_HEX);
        if (n == ID_BYTES && is_last)
            return str_from(s.ptr + i + 1 - ID_BYTES, ID_BYTES);
    }
    return STR_NONE;
}

static struct str nth_word(struct str line, size_t n)
{
    struct str word = STR_NONE;
    for (size_t i = 0; i <= n; i++)
        str_cut(line, ' ', &word, &line);
    return word;
}

// An engine mounts these files of a container's own from its folder (proc(5): the fourth word is
// what is mounted, the fifth is where).
static struct str id_of_mounts(struct str mountinfo)
{
    struct str line, rest = mountinfo;
    while (rest.len > 0) {
        str_cut(rest, '\n', &line, &rest);
        struct str where = nth_word(line, 4), id = find_id(nth_word(line, 3));
        bool is_own = str_eq(where, STR("/etc/hostname")) || str_eq(where, STR("/etc/hosts")) ||
                      str_eq(where, STR("/etc/resolv.conf"));
        if (is_own && id.len > 0)
            return id;
    }
    return STR_NONE;
}

struct str reach_own_id(struct str cgroup, struct str mountinfo, struct str host)
{
    struct str id = id_of_mounts(mountinfo);
    if (id.len == 0)
        id = find_id(cgroup);
    if (id.len == 0 && host.len == SHORT_ID_BYTES && container_is_id(host))
        id = host;
    return id;
}

// --- addresses ---

static const struct container_network *network_named(const struct container *c, struct str name)
{
    for (size_t i = 0; i < c->n_networks; i++) {
        if (str_eq(c->networks[i].name, name))
            return &c->networks[i];
    }
    return NULL;
}

// Under its name, or that which Compose makes of the one in its file.
static const struct container_network *network_meant(const struct container *c, struct str name,
                                                     struct arena *mem)
{
    const struct container_network *found = network_named(c, name);
    const struct container_label *project = container_label(c, STR("com.docker.compose.project"));
    if (!found && project)
        found = network_named(c, arena_concat(mem, project->value, STR("_"), name));
    return found;
}

static bool take_address(const struct container_network *n, struct ip *ret)
{
    if (!n || (n->v4.family == 0 && n->v6.family == 0))
        return false;
    *ret = n->v4.family != 0 ? n->v4 : n->v6;
    return true;
}

static struct str names_of(const struct container *c, struct arena *mem)
{
    struct str list = c->n_networks == 0 ? STR("none") : STR("");
    for (size_t i = 0; i < c->n_networks; i++)
        list = arena_concat(mem, list, i > 0 ? STR(", ") : STR(""), c->networks[i].name);
    return list;
}

static bool shares(const struct container *self, const struct container_network *n)
{
    return network_named(self, n->name) != NULL;
}

// One that both are in: the setting's, or the first.
static bool take_shared(const struct reach *r, const struct container *c, struct ip *ret)
{
    const struct container_network *wanted = network_named(c, r->network);
    if (wanted && shares(r->self, wanted) && take_address(wanted, ret))
        return true;
    for (size_t i = 0; i < c->n_networks; i++) {
        if (shares(r->self, &c->networks[i]) && take_address(&c->networks[i], ret))
            return true;
    }
    return false;
}

static bool take_any(const struct container *c, struct ip *ret)
{
    for (size_t i = 0; i < c->n_networks; i++) {
        if (take_address(&c->networks[i], ret))
            return true;
    }
    return false;
}

// The container whose network it uses ("container:ID"), or itself.
static const struct container *owner_of_network(const struct reach *r, const struct container *c)
{
    struct str id = str_skip(c->network, 10);
    if (!str_starts(c->network, STR("container:")) || id.len == 0)
        return c;
    for (size_t i = 0; i < r->n; i++) {
        if (str_starts(r->all[i]->id, id) || str_eq(r->all[i]->name, id))
            return r->all[i];
    }
    return c;
}

bool reach_address(const struct reach *r, const struct container *c, struct str label,
                   struct arena *mem, struct ip *ret, struct str *ret_why)
{
    bool is_inside = r->self && !r->self->is_on_host;
    c = owner_of_network(r, c);
    if (c->is_on_host) {
        *ret = (struct ip){.bytes = {127, 0, 0, 1}, .family = 4};
        *ret_why = STR("it uses the machine's network, and the proxy runs in a container that "
                       "doesn't; put both into one network");
        return !is_inside;
    }
    if (label.len > 0) {
        *ret_why = arena_printf(mem,
                                "it has no address in the network '" STR_FMT
                                "' that its label names; its networks: " STR_FMT,
                                STR_ARG(label), STR_ARG(names_of(c, mem)));
        return take_address(network_meant(c, label, mem), ret);
    }
    if (is_inside && take_shared(r, c, ret))
        return true;
    if (r->network.len > 0 && take_address(network_named(c, r->network), ret))
        return true;
    if (!is_inside && take_any(c, ret))
        return true;
    *ret_why = is_inside
                   ? arena_printf(mem,
                                  "it shares no network with the proxy; its networks: " STR_FMT
                                  "; the proxy's: " STR_FMT,
                                  STR_ARG(names_of(c, mem)), STR_ARG(names_of(r->self, mem)))
                   : arena_printf(mem, "it has no address; its networks: " STR_FMT,
                                  STR_ARG(names_of(c, mem)));
    return false;
}

// --- ports ---

bool reach_port(const struct container *c, struct str label, struct arena *mem, uint16_t *ret,
                struct str *ret_note)
{
    uint64_t port = 0;
    *ret_note = STR_NONE;
    if (label.len > 0) {
        bool is_fine = num_dec(label, UINT16_MAX, &port) == ERR_OK && port > 0;
        *ret = (uint16_t)port;
        if (!is_fine)
            *ret_note = arena_printf(mem, "'" STR_FMT "' is not a port; allowed: 1 to 65535",
                                     STR_ARG(str_first(label, 40)));
        return is_fine;
    }
    if (c->n_ports == 0) {
        *ret_note = STR("it exposes no port, so a label has to say which one it listens on");
        return false;
    }
    *ret = c->ports[0].port;
    if (c->n_ports > 1)
        *ret_note = arena_printf(mem, "it exposes %zu ports: requests go to the lowest one, %u",
                                 c->n_ports, *ret);
    return true;
}
