// SPDX-License-Identifier: Apache-2.0
#include "cli/cert_alone.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/control_client.h"
#include "keeper/cert_show.h"
#include "keeper/keeper.h"
#include "keeper/state_path.h"
#include "keeper/to_json.h"
#include "keeper/wish.h"
#include "rt/clock.h"
#include "rt/file.h"

#define MEM_BYTES ((size_t)64 << 20)
#define SETTINGS_MAX_BYTES ((size_t)64 << 20)
#define START_MAX_MS 30000
#define LOOK_EVERY_US 20000
#define ORDER_MAX_MS 660000

struct alone {
    const struct cli_args *args;
    const json_t *request;
    struct arena mem;
    struct loaded loaded;
    struct wish *wish;             // owns; NULL: the settings have errors, or there are none
    struct certs_store *store;     // owns
    struct str id;                 // in mem: of the certificate that is meant
    const struct issue_need *need; // borrows: the settings want it
};

static json_t *failure(const char *why)
{
    return json_pack("{s:b, s:o}", "ok", 0, "error", to_json_text(str_of(why)));
}

static const char *member(const struct alone *a, const char *key)
{
    const char *text = json_string_value(json_object_get(a->request, key));
    return text ? text : "";
}

bool cert_is_alone(const struct cli_args *args)
{
    return cli_has(args, "state") || (!cli_has(args, "control") && !control_client_is_there(args));
}

// --- the folder ---

static const char *choose_state(const struct cli_args *args, const struct wish *wish, char *buf,
                                size_t n)
{
    const char *chosen = cli_value(args, "state", wish ? wish->state : NULL);
    if (chosen)
        return chosen;
    return state_default_path(buf, n) ? buf : NULL;
}

struct str cert_alone_state(const struct cli_args *args, struct arena *mem)
{
    char buf[4096];
    struct loaded loaded = {.root = NULL};
    bool is_loaded = !cli_has(args, "state") && load_file(cli_config_path(args), NULL, &loaded);
    struct wish *wish = is_loaded ? wish_new(loaded.snapshot) : NULL;
    const char *chosen = choose_state(args, wish, buf, sizeof buf);
    struct str state = arena_dup(mem, str_of(chosen));
    if (!chosen)
        fprintf(stderr, "sallyport: there is no usual state folder here; use --state\n");
    wish_free(wish);
    load_fini(&loaded);
    return state;
}

static bool open_store(struct alone *a)
{
    char buf[4096];
    struct diags diags = {.n = 0};
    const char *path = choose_state(a->args, a->wish, buf, sizeof buf);
    a->store = path && access(path, F_OK) == 0 ? certs_store_open(path, &diags) : NULL;
    if (!a->store)
        fprintf(stderr, "sallyport: no proxy answers, and the state folder %s can't be used: %s\n",
                path ? path : "", diags.n > 0 ? diags.items[0].text : strerror(errno));
    diags_fini(&diags);
    return a->store != NULL;
}

// The wish leaves out which directories its issuers have.
static const struct issue_need *complete(struct alone *a, const struct issue_need *need)
{
    struct issue_need *copy = ARENA_ARRAY(&a->mem, struct issue_need, 1);
    struct issue_source *sources = ARENA_ARRAY(&a->mem, struct issue_source, need->n_sources);
    if (!copy || !sources)
        return need;
    for (size_t i = 0; i < need->n_sources; i++) {
        sources[i] = need->sources[i];
        for (size_t k = 0; k < a->wish->issue.n_issuers; k++) {
            if (str_eq(a->wish->issue.issuers[k].name, sources[i].issuer))
                sources[i].directory = a->wish->issue.issuers[k].directory;
        }
    }
    *copy = *need;
    copy->sources = sources;
    return copy;
}

static void find_meant(struct alone *a)
{
    const json_t *names = json_object_get(a->request, "names");
    const char *first = json_string_value(json_array_get(names, 0));
    struct str name = str_of(first ? first : member(a, "name"));
    a->id = certs_id_of(name, &a->mem);
    for (size_t i = 0; a->wish && i < a->wish->issue.n_needs; i++) {
        const struct issue_need *need = &a->wish->issue.needs[i];
        bool is_it = str_eq(need->id, a->id);
        for (size_t k = 0; !is_it && k < need->n_names; k++)
            is_it = str_ieq(need->names[k], name);
        if (!is_it)
            continue;
        a->need = complete(a, need);
        a->id = need->id;
        return;
    }
}

// --- what the folder alone tells ---

static json_t *do_status(struct alone *a)
{
    struct str *ids;
    size_t n;
    const char *why;
    json_t *list = json_array();
    if (certs_store_list(a->store, &a->mem, &ids, &n)) {
        for (size_t i = 0; i < n; i++) {
            json_t *j = json_object();
            (void)!cert_show_stored(a->store, ids[i], (int64_t)time(NULL), j, &why);
            json_array_append_new(list, j);
        }
    }
    return json_pack("{s:b, s:{s:o}}", "ok", 1, "status", "certificates", list);
}

static json_t *do_show(struct alone *a)
{
    const char *why;
    json_t *j = json_object();
    if (cert_show_stored(a->store, a->id, (int64_t)time(NULL), j, &why) == ERR_OK) {
        if (a->need)
            json_object_set_new(j, "used_by", to_json_texts(a->need->names, 1));
        return json_pack("{s:b, s:[o]}", "ok", 1, "certificates", j);
    }
    json_decref(j);
    return failure(why);
}

static json_t *do_forget(struct alone *a)
{
    const char *why;
    if (certs_store_forget(a->store, a->id, &why) != ERR_OK)
        return failure(why);
    return json_pack("{s:b}", "ok", 1);
}

// --- a proxy for the occasion ---

// What it takes of the settings: what concerns authorities and where they come to look.
static const struct str kept[] = {STR_INIT("email"),       STR_INIT("issuers"),
                                  STR_INIT("entrypoints"), STR_INIT("resolver"),
                                  STR_INIT("user"),        STR_INIT("sandbox")};

struct occasion {
    const char *settings;
    const char *state;
    const char *socket;
};

static struct conf_node *build(void *arg, struct loaded *l)
{
    static const struct place place = {.source = "command line"};
    const struct occasion *o = arg;
    struct arena *mem = &l->mem;
    struct str text;
    const char *why;
    struct conf_node *root = conf_node_new(mem, CONF_NODE_MAP, place);
    struct conf_node *all = NULL;
    if (file_read(o->settings, SETTINGS_MAX_BYTES, mem, &text, &why) == ERR_OK)
        all = conf_yaml_parse(text, o->settings, mem, &l->diags);
    for (size_t i = 0; all && all->kind == CONF_NODE_MAP && i < ARRAY_LEN(kept); i++) {
        struct conf_node *node = conf_node_get(all, kept[i]);
        struct conf_node *copy = node ? conf_node_new(mem, node->kind, node->place) : NULL;
        if (!copy)
            continue;
        *copy = *node;
        copy->next = NULL;
        conf_node_put(root, kept[i], copy);
    }
    conf_node_put(root, STR("state"), conf_node_scalar(mem, str_of(o->state), place));
    conf_node_put(root, STR("control"), conf_node_scalar(mem, str_of(o->socket), place));
    conf_node_put(root, STR("access-log"), conf_node_scalar(mem, STR("off"), place));
    struct conf_node *log = conf_node_new(mem, CONF_NODE_MAP, place);
    conf_node_put(log, STR("level"), conf_node_scalar(mem, STR("error"), place));
    conf_node_put(root, STR("log"), log);
    return root;
}

static pid_t start_proxy(const struct cli_args *args, const struct occasion *o)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    _exit(keeper_main(
        &(struct keeper_options){.build = build, .arg = (void *)(uintptr_t)o, .argv = args->argv}));
}

static bool serves(const struct cli_args *args)
{
    json_t *answer = control_client_ask(args, "status", "waiting for the ports");
    const json_t *gate = json_object_get(json_object_get(answer, "status"), "gate");
    const char *state = json_string_value(json_object_get(gate, "state"));
    bool is_serving = state && strcmp(state, "serving") == 0;
    json_decref(answer);
    return is_serving;
}

static bool await_proxy(const struct cli_args *args, pid_t pid)
{
    int64_t until_ms = clock_now_ms() + START_MAX_MS;
    while (clock_now_ms() < until_ms) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid)
            return false; // it has told why
        if (control_client_is_there(args) && serves(args))
            return true;
        usleep(LOOK_EVERY_US);
    }
    return false;
}

static json_t *ask_for_the_occasion(struct alone *a, json_t *request)
{
    char folder[] = "/tmp/sallyport-cert-XXXXXX", socket[64];
    json_t *answer = NULL;
    if (!mkdtemp(folder)) {
        json_decref(request);
        return failure("no folder for a control socket can be made in /tmp");
    }
    snprintf(socket, sizeof socket, "%s/control.sock", folder);
    setenv("SALLYPORT_CONTROL", socket, 1);
    const struct occasion o = {
        .settings = cli_config_path(a->args), .state = a->wish->state, .socket = socket};
    pid_t pid = start_proxy(a->args, &o);
    if (pid > 0 && await_proxy(a->args, pid))
        answer = control_client_talk(a->args, request, "ordering the certificate", ORDER_MAX_MS);
    else
        json_decref(request);
    if (pid > 0 && kill(pid, SIGTERM) == 0)
        waitpid(pid, NULL, 0);
    unlink(socket);
    rmdir(folder);
    return answer ? answer : failure("no proxy can be run for the order");
}

// Of what settings want: all its names, from its first authority.
static json_t *full_request(const struct alone *a)
{
    json_t *request = json_pack("{s:s, s:s}", "command", "cert", "action", "request");
    json_object_set_new(request, "names", to_json_texts(a->need->names, a->need->n_names));
    json_object_set_new(request, "issuer", to_json_text(a->need->sources[0].issuer));
    return request;
}

static json_t *do_order(struct alone *a, bool is_renewal)
{
    struct certs_stored stored;
    const char *why;
    int64_t now_s = (int64_t)time(NULL), due_s = now_s;
    if (!a->wish)
        return failure("the settings have errors: 'sallyport check' tells which");
    if (!a->need && is_renewal)
        return failure(
            "no site in the settings wants a certificate of this name from an authority");
    if (a->need && certs_store_get(a->store, a->id, now_s, &a->mem, &stored, &why) == ERR_OK)
        due_s = issue_due_s(a->need, &stored, now_s, &why);
    bool is_forced = json_is_true(json_object_get(a->request, "force"));
    if (due_s > now_s && !is_forced && is_renewal)
        return failure("it isn't due yet; --force orders it all the same");
    if (due_s > now_s && !is_forced)
        return json_pack("{s:b, s:o}", "ok", 1, "not_due_before", to_json_time(due_s));
    certs_store_close(a->store); // the proxy holds it now
    a->store = NULL;
    return ask_for_the_occasion(a, a->need ? full_request(a) : json_deep_copy(a->request));
}

static json_t *do_revoke(struct alone *a)
{
    if (!a->wish)
        return failure("the settings have errors: 'sallyport check' tells which");
    certs_store_close(a->store);
    a->store = NULL;
    return ask_for_the_occasion(a, json_deep_copy(a->request));
}

// --- all of them ---

static json_t *act(struct alone *a)
{
    const char *action = member(a, "action");
    if (strcmp(member(a, "command"), "status") == 0)
        return do_status(a);
    if (strcmp(action, "show") == 0)
        return do_show(a);
    if (!certs_store_hold(a->store, CERTS_HOLD_ALONE))
        return failure("a proxy that can't be asked uses this state folder: name its control "
                       "socket with --control");
    if (strcmp(action, "forget") == 0)
        return do_forget(a);
    if (strcmp(action, "revoke") == 0)
        return do_revoke(a);
    return do_order(a, strcmp(action, "renew") == 0);
}

json_t *cert_alone_ask(const struct cli_args *args, json_t *request)
{
    struct alone a = {.args = args, .request = request};
    json_t *answer = NULL;
    arena_init(&a.mem, MEM_BYTES, NULL, 0);
    if (load_file(cli_config_path(args), NULL, &a.loaded))
        a.wish = wish_new(a.loaded.snapshot);
    if (a.wish && cli_has(args, "state"))
        a.wish->state = cli_value(args, "state", NULL);
    if (open_store(&a)) {
        find_meant(&a);
        answer = act(&a);
    }
    certs_store_close(a.store);
    wish_free(a.wish);
    load_fini(&a.loaded);
    arena_wipe(&a.mem);
    json_decref(request);
    return answer;
}
