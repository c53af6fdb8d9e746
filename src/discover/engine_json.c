// SPDX-License-Identifier: Apache-2.0
#include "discover/engine_json.h"

#include <jansson.h>

#include "base/ascii.h"
#include "base/num.h"
#include "base/text.h"

#define VERSION_NAME_MAX_BYTES 120

// Reads json as one object or array.
static json_t *parse(struct str json, const char **ret_why)
{
    json_error_t error;
    // Numbers aren't looked at, and one that is too large for a long costs nothing else; of NUL it
    // is told where it stands.
    json_t *root = json_loadb(json.len > 0 ? json.ptr : "", json.len,
                              JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);
    if (!root)
        *ret_why = "the engine's answer is no JSON";
    return root;
}

#define NUL_ESCAPE "\\u0000"

// The same where texts are read that belong to all containers: jansson refuses a whole answer for
// one NUL in a key, which any of them may have in a label. It reads another character there.
static json_t *parse_of_all(struct str json, const char **ret_why)
{
    struct text clean = {.ptr = NULL};
    if (str_search(json, STR(NUL_ESCAPE)) == STR_NPOS)
        return parse(json, ret_why);
    text_put(&clean, json);
    for (size_t i = 0; i < clean.len; i++) {
        if (clean.ptr[i] != '\\')
            continue;
        if (str_starts(str_skip(text_str(&clean), i), STR(NUL_ESCAPE)))
            clean.ptr[i + 5] = '1';
        i++; // whatever is escaped, a backslash perhaps
    }
    json_t *root = parse(text_str(&clean), ret_why);
    text_fini(&clean);
    return root;
}

static bool fail(const char *why, const char **ret_why)
{
    *ret_why = why;
    return false;
}

// The text at key, or none when there is another thing or nothing.
static struct str text_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? str_from(json_string_value(value), json_string_length(value))
                                 : STR_NONE;
}

static struct str copy_at(const json_t *object, const char *key, struct arena *mem)
{
    return arena_dup(mem, text_at(object, key));
}

// --- a container ---

static void read_state(const json_t *state, struct container *c)
{
    // Podman has words of its own for what stands still.
    if (!container_state_find(text_at(state, "Status"), &c->state))
        c->state =
            json_is_true(json_object_get(state, "Running")) ? CONTAINER_RUNNING : CONTAINER_EXITED;
    if (c->state == CONTAINER_RUNNING && json_is_true(json_object_get(state, "Paused")))
        c->state = CONTAINER_PAUSED;
    const json_t *health = json_object_get(state, "Health");
    if (!health)
        health = json_object_get(state, "Healthcheck"); // Podman 3
    if (!container_health_find(text_at(health, "Status"), &c->health))
        c->health = CONTAINER_HEALTH_NONE;
}

static bool read_labels(json_t *labels, struct arena *mem, struct container *c,
                        const char **ret_why)
{
    size_t n = json_object_size(labels);
    if (n > CONTAINER_LABELS_MAX)
        return fail("it has more than 1000 labels", ret_why);
    c->labels = ARENA_ARRAY(mem, struct container_label, n);
    const char *key;
    size_t key_bytes;
    json_t *value;
    json_object_keylen_foreach(labels, key, key_bytes, value)
    {
        if (!json_is_string(value))
            return fail("a label isn't text", ret_why);
        c->labels[c->n_labels++] = (struct container_label){
            .name = arena_dup(mem, str_from(key, key_bytes)),
            .value = arena_dup(mem, str_from(json_string_value(value), json_string_length(value))),
        };
    }
    return true;
}

static void read_address(const json_t *network, const char *key, struct ip *ret)
{
    if (ip_parse(text_at(network, key), ret) != ERR_OK) // empty: it has none
        *ret = (struct ip){.family = 0};
}

static bool read_networks(json_t *networks, struct arena *mem, struct container *c,
                          const char **ret_why)
{
    size_t n = json_object_size(networks);
    if (n > CONTAINER_NETWORKS_MAX)
        return fail("it has more than 32 networks", ret_why);
    c->networks = ARENA_ARRAY(mem, struct container_network, n);
    const char *name;
    size_t name_bytes;
    json_t *network;
    json_object_keylen_foreach(networks, name, name_bytes, network)
    {
        struct container_network *to = &c->networks[c->n_networks++];
        *to = (struct container_network){
            .name = arena_dup(mem, str_from(name, name_bytes)),
            .id = copy_at(network, "NetworkID", mem),
        };
        if (!container_is_id(to->id)) // Podman's default one has a name here
            to->id = STR_NONE;
        read_address(network, "IPAddress", &to->v4);
        read_address(network, "GlobalIPv6Address", &to->v6);
    }
    return true;
}

// "80/tcp"; false: another protocol, or nonsense.
static bool parse_port(struct str s, uint16_t *ret)
{
    struct str number, protocol;
    uint64_t port;
    if (str_cut(s, '/', &number, &protocol) && !str_eq(protocol, STR("tcp")))
        return false;
    if (num_dec(number, UINT16_MAX, &port) != ERR_OK || port == 0)
        return false;
    *ret = (uint16_t)port;
    return true;
}

// The port's place among those that are there in order; NULL: there are too many lower ones.
static struct container_port *port_at(struct container *c, uint16_t port)
{
    size_t i = 0;
    while (i < c->n_ports && c->ports[i].port < port)
        i++;
    if (i < c->n_ports && c->ports[i].port == port)
        return &c->ports[i];
    if (i == CONTAINER_PORTS_MAX)
        return NULL;
    size_t n_kept = MIN(c->n_ports, (size_t)CONTAINER_PORTS_MAX - 1);
    memmove(&c->ports[i + 1], &c->ports[i], (n_kept - i) * sizeof c->ports[0]);
    c->ports[i] = (struct container_port){.port = port};
    c->n_ports = n_kept + 1;
    return &c->ports[i];
}

// Both {"80/tcp": {}} and {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}.
static void read_ports(json_t *ports, struct container *c)
{
    const char *key;
    size_t key_bytes;
    json_t *hosts;
    json_object_keylen_foreach(ports, key, key_bytes, hosts)
    {
        uint16_t port, host_port;
        if (!parse_port(str_from(key, key_bytes), &port))
            continue;
        struct container_port *to = port_at(c, port);
        const json_t *host = json_array_get(hosts, 0);
        if (to && host && parse_port(text_at(host, "HostPort"), &host_port)) {
            to->host_port = host_port;
            read_address(host, "HostIp", &to->host_ip);
        }
    }
}

static bool read_container(json_t *root, struct arena *mem, struct container *c,
                           const char **ret_why)
{
    json_t *config = json_object_get(root, "Config");
    json_t *settings = json_object_get(root, "NetworkSettings");
    struct str name = text_at(root, "Name");
    c->id = copy_at(root, "Id", mem);
    c->name = arena_dup(mem, str_starts(name, STR("/")) ? str_skip(name, 1) : name);
    c->image = copy_at(config, "Image", mem);
    c->network = copy_at(json_object_get(root, "HostConfig"), "NetworkMode", mem);
    c->is_on_host = str_eq(c->network, STR("host"));
    read_state(json_object_get(root, "State"), c);
    if (!read_labels(json_object_get(config, "Labels"), mem, c, ret_why) ||
        !read_networks(json_object_get(settings, "Networks"), mem, c, ret_why))
        return false;
    c->ports = ARENA_ARRAY(mem, struct container_port, CONTAINER_PORTS_MAX);
    read_ports(json_object_get(config, "ExposedPorts"), c);
    read_ports(json_object_get(settings, "Ports"), c);
    const char *why = container_fault(c);
    return why ? fail(why, ret_why) : true;
}

bool engine_json_container(struct str json, struct arena *mem, struct container *ret,
                           const char **ret_why)
{
    json_t *root = parse(json, ret_why);
    struct container c = {.id = STR_NONE};
    bool is_fine = root && read_container(root, mem, &c, ret_why);
    json_decref(root);
    if (is_fine)
        *ret = c;
    return is_fine;
}

// --- lists, events, versions ---

bool engine_json_ids(struct str json, struct arena *mem, struct engine_ids *ret,
                     const char **ret_why)
{
    json_t *root = parse_of_all(json, ret_why);
    if (!root)
        return false;
    bool is_fine = json_is_array(root);
    *ret_why = "the engine's answer is no list of containers";
    size_t n = json_array_size(root), i;
    struct engine_ids ids = {.items = ARENA_ARRAY(mem, struct str, MIN(n, (size_t)CONTAINERS_MAX))};
    json_t *item;
    json_array_foreach(root, i, item)
    {
        struct str id = text_at(item, "Id");
        is_fine = is_fine && container_is_id(id);
        if (!is_fine || ids.n == CONTAINERS_MAX)
            break;
        ids.items[ids.n++] = arena_dup(mem, id);
    }
    ids.n_beyond = n - ids.n;
    json_decref(root);
    if (is_fine)
        *ret = ids;
    return is_fine;
}

// What is done inside of a container and says nothing of it: health checks are two a minute.
static bool is_idle_talk(struct str action)
{
    static const char *const starts[] = {"exec_",  "top",      "attach",   "detach",
                                         "resize", "archive-", "extract-", "export",
                                         "copy",   "commit",   "prune"};
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        if (str_starts(action, str_of(starts[i])))
            return true;
    }
    return false;
}

static struct str changed_by(const json_t *event)
{
    struct str type = text_at(event, "Type"), action = text_at(event, "Action");
    const json_t *actor = json_object_get(event, "Actor");
    if (str_eq(type, STR("network"))) // "connect", "disconnect"
        return text_at(json_object_get(actor, "Attributes"), "container");
    if (!str_eq(type, STR("container")) || is_idle_talk(action))
        return STR_NONE;
    return text_at(actor, "ID");
}

bool engine_json_event(struct str json, struct arena *mem, struct engine_event *ret,
                       const char **ret_why)
{
    json_t *root = parse_of_all(json, ret_why);
    if (!root)
        return false;
    bool is_object = json_is_object(root);
    struct str id = changed_by(root);
    // Podman's; Docker says "health_status: healthy", and knows it by then.
    *ret = (struct engine_event){.id = container_is_id(id) ? arena_dup(mem, id) : STR_NONE,
                                 .is_early = str_eq(text_at(root, "Action"), STR("health_status"))};
    json_decref(root);
    return is_object || fail("the engine's event is no object", ret_why);
}

// "1.43"; 0: it isn't one.
static unsigned api_minor(struct str s)
{
    struct str major, minor;
    uint64_t value;
    bool is_fine = str_cut(s, '.', &major, &minor) && str_eq(major, STR("1")) &&
                   num_dec(minor, 999, &value) == ERR_OK;
    return is_fine ? (unsigned)value : 0;
}

// For people and logs: printable ASCII.
static struct str plain(struct str s, struct arena *mem)
{
    char buf[VERSION_NAME_MAX_BYTES];
    s = str_first(s, sizeof buf);
    for (size_t i = 0; i < s.len; i++)
        buf[i] = s.ptr[i] >= ' ' && s.ptr[i] <= '~' ? s.ptr[i] : '?';
    return arena_dup(mem, str_from(buf, s.len));
}

bool engine_json_version(struct str json, struct arena *mem, struct engine_version *ret,
                         const char **ret_why)
{
    json_t *root = parse(json, ret_why);
    if (!root)
        return false;
    const json_t *component = json_array_get(json_object_get(root, "Components"), 0);
    struct str name = text_at(json_object_get(root, "Platform"), "Name");
    // Podman names its platform "linux/amd64/debian-12", Debian's Docker has none.
    if (name.len == 0 || str_find(name, '/') != STR_NPOS)
        name = text_at(component, "Name");
    struct str all = arena_concat(mem, plain(name.len > 0 ? name : STR("Docker"), mem), STR(" "),
                                  plain(text_at(root, "Version"), mem));
    *ret = (struct engine_version){.name = all,
                                   .api = api_minor(text_at(root, "ApiVersion")),
                                   .api_oldest = api_minor(text_at(root, "MinAPIVersion"))};
    json_decref(root);
    return ret->api > 0 || fail("the engine doesn't tell its API's version", ret_why);
}
