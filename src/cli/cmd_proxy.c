// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/command.h"
#include "keeper/keeper.h"

static const struct cli_option options[] = {
    {.name = "from",
     .value = "[NAME][:PORT]",
     .doc = "The host name to serve, and where to listen. Without a name: every name. With an IP "
            "address in its place: every name, and only that address listens. Without a port: "
            "HTTP on 80 and HTTPS on 443 as root, else on 8080 and 8443. A port of yours speaks "
            "HTTP, or with `--tls` HTTPS."},
    {.name = "tls", .doc = "Speak HTTPS alone, with a certificate of the local CA."},
    {.name = "to",
     .value = "URL",
     .is_many = true,
     .doc =
         "A server, like `http://127.0.0.1:3000`, `127.0.0.1:3000` or `:3000`. Several share the "
         "requests."},
    {.name = "access-log", .doc = "Write a line for each request to standard output."},
    {.name = "control",
     .value = "SOCKET",
     .kind = CLI_VALUE_FILE,
     .doc = "Make a control socket here, for `status`, `stop` and the others; by default there is "
            "none."},
};

static const struct place place = {.source = "command line"};

static struct conf_node *scalar(struct arena *mem, struct str text)
{
    return conf_node_scalar(mem, text, place);
}

static struct conf_node *map(struct arena *mem)
{
    return conf_node_new(mem, CONF_NODE_MAP, place);
}

// ":3000" and "127.0.0.1:3000" as URLs.
static struct str server_url(struct arena *mem, struct str to)
{
    if (str_search(to, STR("://")) != STR_NPOS || str_starts(to, STR("unix:")))
        return to;
    return arena_concat(mem, str_starts(to, STR(":")) ? STR("http://127.0.0.1") : STR("http://"),
                        to, STR_NONE);
}

// "127.0.0.1" and "[::1]".
static bool is_address(struct str name)
{
    struct ip ip;
    if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        name = str_from(name.ptr + 1, name.len - 2);
    return ip_parse(name, &ip) == ERR_OK;
}

static void add_entrypoint(struct arena *mem, struct conf_node *to, bool is_tls, struct str address,
                           struct str port)
{
    struct conf_node *entry = map(mem);
    conf_node_put(entry, STR("listen"), scalar(mem, arena_concat(mem, address, STR(":"), port)));
    conf_node_put(entry, STR("tls"), scalar(mem, is_tls ? STR("on") : STR("off")));
    conf_node_put(to, is_tls ? STR("websecure") : STR("web"), entry);
}

// Both of the usual ports, or the one that was asked for.
static struct conf_node *entrypoints(const struct cli_args *args, struct arena *mem,
                                     struct str address, struct str port)
{
    struct conf_node *entries = map(mem);
    bool is_root = geteuid() == 0, is_tls = cli_has(args, "tls");
    if (!is_tls)
        add_entrypoint(mem, entries, false, address,
                       port.len > 0 ? port
                       : is_root    ? STR("80")
                                    : STR("8080"));
    if (is_tls || port.len == 0)
        add_entrypoint(mem, entries, true, address,
                       port.len > 0 ? port
                       : is_root    ? STR("443")
                                    : STR("8443"));
    return entries;
}

static struct conf_node *build(void *arg, struct loaded *l)
{
    const struct cli_args *args = arg;
    struct arena *mem = &l->mem;
    struct str from = str_of(cli_value(args, "from", ""));
    struct str name = from, port = STR_NONE, address = STR_NONE;
    size_t colon = str_rfind(from, ':');
    if (colon != STR_NPOS && !str_ends(from, STR("]"))) {
        name = str_first(from, colon);
        port = str_skip(from, colon + 1);
    }
    if (is_address(name)) {
        address = name;
        name = STR_NONE;
    }
    struct conf_node *root = map(mem);
    conf_node_put(root, STR("entrypoints"), entrypoints(args, mem, address, port));
    const char *const *to = NULL;
    int n = cli_values(args, "to", &to);
    struct conf_node *servers = conf_node_new(mem, CONF_NODE_SEQ, place);
    for (int i = 0; i < n; i++)
        conf_node_append(servers, scalar(mem, server_url(mem, str_of(to[i]))));
    struct conf_node *target = map(mem);
    conf_node_put(target, STR("to"), servers);
    if (name.len > 0) {
        struct conf_node *sites = map(mem);
        conf_node_put(sites, name, target);
        conf_node_put(root, STR("sites"), sites);
    } else {
        struct conf_node *routes = conf_node_new(mem, CONF_NODE_SEQ, place);
        conf_node_put(target, STR("match"), scalar(mem, STR("PathPrefix(`/`)")));
        conf_node_put(target, STR("name"), scalar(mem, STR("proxy")));
        conf_node_append(routes, target);
        conf_node_put(root, STR("routes"), routes);
    }
    if (!cli_has(args, "access-log"))
        conf_node_put(root, STR("access-log"), scalar(mem, STR("off")));
    conf_node_put(root, STR("control"), scalar(mem, str_of(cli_value(args, "control", "off"))));
    return root;
}

static int run(const struct cli_args *args)
{
    if (!cli_has(args, "to"))
        return cli_usage_error(args->command, "proxy needs --to URL");
    return keeper_main(&(struct keeper_options){
        .build = build, .arg = (void *)(uintptr_t)args, .argv = args->argv});
}

const struct cli_command cli_proxy = {
    .name = "proxy",
    .summary = "Run a proxy without a settings file.",
    .doc = "For example: `sallyport proxy --from app.example.com --to http://127.0.0.1:3000`. "
           "Everything else has its default. It stays in the foreground; SIGTERM and SIGINT stop "
           "it.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
