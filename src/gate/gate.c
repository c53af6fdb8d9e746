// SPDX-License-Identifier: Apache-2.0
#include "gate/gate.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "filter/states.h"
#include "gate/api_desk.h"
#include "gate/bans.h"
#include "gate/credentials.h"
#include "gate/crew.h"
#include "gate/demand.h"
#include "gate/insight.h"
#include "gate/petitions.h"
#include "gate/pins.h"
#include "gate/protocol.h"
#include "gate/questions.h"
#include "gate/snapshot.h"
#include "gate/worker.h"
#include "rt/channel.h"
#include "rt/clock.h"
#include "rt/dns.h"
#include "rt/file.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/offload.h"
#include "rt/privileges.h"
#include "rt/sandbox.h"
#include "rt/slots.h"
#include "rt/sock.h"
#include "rt/sys.h"
#include "rt/usage.h"
#include "tls/server.h"
#include "tls/trial.h"
#include "upstream/service.h"

#define OFFLOAD_THREADS 2
#define OFFLOAD_QUEUE_MAX 256
#define DISK_THREADS 2
#define DISK_QUEUE_MAX 65536 // what is on its way is bounded by memory
#define OWN_DESCRIPTORS 256  // listening sockets, logs, pipes, DNS
#define NAMES_MEM_MAX_BYTES ((size_t)4 << 20)

struct gate {
    struct rt_loop *loop;   // the aux loop, on the main thread
    struct rt_sock channel; // to the keeper
    struct upstream_registry *registry;
    struct offload *offload;
    struct offload *disk; // threads for the spool's file: slow disks hold up nothing else
    struct slots *slots;  // owns: that file; NULL: none
    struct filter_states *states;
    struct meters *meters; // owns
    struct dns *dns;
    struct upstream_resolver *resolver;
    struct upstream_checker *checker;
    struct crew *crew; // the workers; NULL before the first snapshot
    struct questions questions;
    struct insight *insight; // owns
    struct api_desk api_desk;
    struct petitions *petitions; // owns
    struct pins *pins;           // owns
    struct bans *bans;           // owns
    struct credentials credentials;
    char user[64];                 // it runs as
    struct sandbox_report sandbox; // what is in force
    struct str names;              // owns: from the keeper, until the resolver has them; or empty
    bool is_draining;
};

static void open_dns(struct gate *g, const struct settings *settings, const struct dns_files *files)
{
    const struct conf_texts *servers = &settings->resolver.servers;
    struct text list = {.ptr = NULL};
    for (size_t i = 0; i < servers->n; i++) {
        if (i > 0)
            text_byte(&list, ',');
        text_put(&list, servers->items[i].text);
    }
    text_byte(&list, '\0');
    const char *why = NULL;
    g->dns = dns_new(&(struct dns_options){.files = files,
                                           .servers = servers->n > 0 ? list.ptr : NULL,
                                           .timeout_ms = settings->resolver.timeout_ms},
                     &why);
    text_fini(&list);
    if (!g->dns)
        log_error("names of servers can't be resolved: %s", why);
}

// What the keeper has read; a gate without such a keeper reads itself, while it can.
static void know_names(struct gate *g, struct arena *mem, struct dns_files *ret)
{
    const char *why = NULL;
    *ret = (struct dns_files){.hosts = STR_NONE};
    if (g->names.len == 0 && !dns_files_read(DNS_RESOLV_CONF, DNS_HOSTS, mem, ret, &why))
        log_warn("%s or %s can't be read: %s", DNS_RESOLV_CONF, DNS_HOSTS, why);
    if (g->names.len > 0 && !dns_files_unpack(g->names, ret))
        log_error("what the keeper knows about names arrived damaged");
}

static void take_names(struct gate *g, int fd)
{
    struct str bytes;
    struct dns_files files;
    const char *why = "they arrived damaged";
    if (fd < 0 || !file_map_sealed(fd, &bytes)) {
        log_error("new resolv.conf and hosts can't be used: %s", why);
        return;
    }
    if (!g->crew) {
        file_unmap(g->names);
        g->names = bytes;
        return;
    }
    if (!dns_files_unpack(bytes, &files) || (g->dns && !dns_use(g->dns, &files, &why)))
        log_error("new resolv.conf and hosts can't be used: %s", why);
    else
        log_info("resolv.conf or hosts has changed: look-ups follow it");
    file_unmap(bytes);
}

// Becomes an ordinary user, for good. False with a reason.
static bool change_user(struct str user, char *reason, size_t cap)
{
    const char *why = NULL;
    if (geteuid() != 0 || str_eq(user, STR("root")))
        return true;
    char *name = mem_copy(user.ptr, user.len);
    if (!privileges_become(name, &why))
        snprintf(reason, cap, "the gate can't become user '%s' (setting 'user'): %s", name, why);
    // Another user: from here on fs.suid_dumpable would decide.
    else if (!privileges_never_dump())
        snprintf(reason, cap, "%s", why = "the gate can't keep its memory out of core dumps");
    mem_free(name);
    return why == NULL;
}

// False with a reason.
static bool enter_sandbox(struct gate *g, const struct settings *s, char *reason, size_t cap)
{
    if (!change_user(s->user.text, reason, cap))
        return false;
    sandbox_enter((enum sandbox_mode)s->sandbox, &g->sandbox);
    if (s->sandbox != SANDBOX_REQUIRE || g->sandbox.n_missing == 0)
        return true;
    char missing[SANDBOX_TEXT_BYTES];
    snprintf(reason, cap, "'sandbox: require' can't be had here: %s",
             sandbox_missing(&g->sandbox, missing));
    return false;
}

static void log_sandbox(const struct sandbox_report *r)
{
    char list[SANDBOX_TEXT_BYTES];
    log_info("sandbox (%s): %s", sandbox_mode_text(r->mode), sandbox_in_force(r, list));
    if (r->n_missing > 0)
        log_warn("missing of the sandbox: %s", sandbox_missing(r, list));
    if (r->mode == SANDBOX_OFF)
        log_warn("the sandbox is off: whoever takes over the gate has what its user has");
}

// For status. No name is looked up for it: that could take long, and after the sandbox can't be.
static void tell_user(struct gate *g, struct str wanted)
{
    bool is_root = geteuid() == 0; // and becomes who is wanted
    int n = is_root ? snprintf(g->user, sizeof g->user, STR_FMT, STR_ARG(wanted))
                    : snprintf(g->user, sizeof g->user, "%u", geteuid());
    size_t len = MIN((size_t)MAX(n, 0), sizeof g->user - 1);
    g->questions.process.user = str_from(g->user, len);
}

// Connections to servers need descriptors as well (idle clients have none), and so does the gate's
// own work.
static uint32_t conns_that_fit(uint32_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    rlim_t room = MAX(limit.rlim_cur / 4 * 3, (rlim_t)OWN_DESCRIPTORS) - OWN_DESCRIPTORS / 2;
    if (wanted <= room)
        return wanted;
    log_info("connections-max is %u, but with a limit of %llu open files only %llu fit: raise that "
             "limit (ulimit -n, LimitNOFILE=)",
             wanted, (unsigned long long)limit.rlim_cur, (unsigned long long)room);
    return (uint32_t)room;
}

static void try_records(void)
{
    bool is_passed = tls_trial_is_passed(NULL);
    tls_conn_set_take_over(is_passed);
    if (!is_passed)
        log_warn("the installed OpenSSL tells of its handshakes in another way than is known here: "
                 "it keeps the records of TLS 1.3, and requests cost more processor time");
}

// The first settings: the one thread enters the sandbox, and then there are more. False with a
// reason.
static bool settle(struct gate *g, const struct snapshot *s, unsigned n_workers, char *reason,
                   size_t cap)
{
    struct arena mem;
    struct dns_files files;
    arena_init(&mem, NAMES_MEM_MAX_BYTES, NULL, 0);
    know_names(g, &mem, &files);
    open_dns(g, &s->settings, &files);
    tell_user(g, s->settings.user.text);
    bool is_inside = enter_sandbox(g, &s->settings, reason, cap);
    if (is_inside) {
        log_start("gate", (enum log_level)s->settings.log.level,
                  (enum log_format)s->settings.log.format);
        log_sandbox(&g->sandbox);
        try_records();
        if (!offload_start(g->offload, OFFLOAD_THREADS))
            panic("can't start the threads for passwords");
        if (g->slots && !offload_start(g->disk, DISK_THREADS))
            panic("can't start the threads for the spool");
        if (g->dns)
            g->resolver = upstream_resolver_start(g->registry, g->dns);
        g->checker = upstream_checker_start(g->registry);
        g->crew =
            crew_start(n_workers, g->loop,
                       &(struct worker_links){.registry = g->registry,
                                              .bans = g->bans,
                                              .insight = g->insight,
                                              .slots = g->slots,
                                              .conns_max = conns_that_fit(s->settings.conns_max)});
        g->questions.crew = g->crew;
        crew_equip(g->crew, &g->credentials);
        g->questions.process.sandbox = &g->sandbox;
    }
    arena_fini(&mem);
    file_unmap(g->names);
    g->names = STR_NONE;
    return is_inside;
}

static void send_message(struct gate *g, const void *message, size_t n)
{
    enum err err = channel_send(g->channel.fd, str_from(message, n), -1);
    if (err != ERR_OK)
        log_error("can't tell the keeper: %s", err_text(err));
}

static void refuse(struct gate *g, uint64_t seq, const char *reason)
{
    struct gate_refused m = {.type = GATE_REFUSED, .seq = seq};
    m.reason_bytes = (uint32_t)MIN(strlen(reason), sizeof m.reason);
    memcpy(m.reason, reason, m.reason_bytes);
    send_message(g, &m, sizeof m);
}

// NULL with a reason. bytes are the snapshot's from now on when there is one.
static struct snapshot *build_snapshot(struct gate *g, struct str bytes, char *reason, size_t cap)
{
    struct arena tree;
    arena_init(&tree, (size_t)4 << 30, NULL, 0);
    struct diags diags = {.n = 0};
    const struct conf_node *root = conf_node_unpack(bytes, &tree);
    struct snapshot *s = NULL;
    snprintf(reason, cap, "the settings arrived damaged");
    if (root) {
        s = snapshot_build(root,
                           &(struct snapshot_env){.registry = g->registry,
                                                  .offload = g->offload,
                                                  .states = g->states,
                                                  .meters = g->meters},
                           &diags);
        if (!s)
            diag_text(&diags.items[0], reason, cap);
    }
    diags_fini(&diags);
    if (!s) {
        arena_fini(&tree);
        return NULL;
    }
    s->bytes = bytes;
    s->tree = tree;
    s->home = g->loop;
    return s;
}

struct switch_arg {
    struct gate *gate;
    struct snapshot *snapshot; // shares
    int64_t build_ns, switch_ns;
};

static void on_all_switched(void *arg)
{
    struct switch_arg *a = arg;
    struct gate_ready m = {.type = GATE_READY,
                           .seq = a->snapshot->seq,
                           .build_ns = a->build_ns,
                           .switch_ns = a->switch_ns};
    questions_in_force(&a->gate->questions, a->snapshot);
    send_message(a->gate, &m, sizeof m);
    mem_free(a);
}

static void take_snapshot(struct gate *g, const struct gate_snapshot *m, int fd)
{
    int64_t began = clock_exact_ns();
    struct str bytes = STR_NONE;
    if (fd < 0 || !file_map_sealed(fd, &bytes)) {
        refuse(g, m->seq, "the settings didn't come as a sealed file");
        return;
    }
    char reason[GATE_REASON_MAX_BYTES];
    struct snapshot *s = build_snapshot(g, bytes, reason, sizeof reason);
    if (!s) {
        file_unmap(bytes);
        refuse(g, m->seq, reason);
        return;
    }
    s->seq = m->seq;
    log_set_level((enum log_level)s->settings.log.level, (enum log_format)s->settings.log.format);
    log_set_repeats(s->settings.log.repeats);
    if (!g->crew && !settle(g, s, m->n_workers, reason, sizeof reason)) {
        snapshot_unref(s);
        refuse(g, m->seq, reason);
        return;
    }
    if (g->resolver)
        upstream_resolver_kick(g->resolver);
    bans_set_max(g->bans, s->settings.ban.clients_max);
    struct switch_arg *arg = MEM_NEW(struct switch_arg);
    *arg = (struct switch_arg){.gate = g, .snapshot = s, .build_ns = clock_exact_ns() - began};
    crew_switch(g->crew, s, &arg->switch_ns, on_all_switched, arg);
}

static void on_drained(void *arg)
{
    struct gate *g = arg;
    loop_stop(g->loop);
}

static void begin_drain(struct gate *g, int64_t idle_ms, int64_t limit_ms)
{
    if (g->is_draining)
        return;
    g->is_draining = true;
    tls_replay_end(g->credentials.replay); // the next gate knows nothing of what came to this one
    if (g->crew)
        crew_drain(g->crew, idle_ms, limit_ms, on_drained, g);
    else
        loop_stop(g->loop);
}

// False: no descriptor was free when it came.
static bool is_there(int fd, const char *what)
{
    if (fd < 0)
        log_error("too many open files to take over %s", what);
    return fd >= 0;
}

static void take_secrets(struct gate *g, uint32_t type, int fd)
{
    if (type == GATE_CERTS)
        credentials_take_certs(&g->credentials, fd, g->crew);
    else if (type == GATE_TICKETS)
        credentials_take_tickets(&g->credentials, fd, g->crew);
    else if (type == GATE_CHALLENGES)
        credentials_take_challenges(&g->credentials, fd, g->crew);
    else
        credentials_take_cookie_key(fd, g->registry);
}

// What is known of servers is known before those who have asked go on.
static void take_verdict(struct gate *g, const struct gate_verdict *m)
{
    struct gate_petition asked;
    if (m->is_yes && petitions_find(g->petitions, m->seq, &asked) &&
        asked.kind == GATE_PETITION_PIN)
        pins_know(g->pins, str_from(asked.name, asked.name_bytes), m->key);
    petitions_answer(g->petitions, m);
}

static void take_bans(struct gate *g, uint32_t type, const struct ban *ban, int fd)
{
    struct str bytes;
    if (type == GATE_BAN) {
        bans_take(g->bans, ban);
        return;
    }
    if (type == GATE_UNBAN) {
        bans_lift(g->bans, &ban->net);
        return;
    }
    if (fd < 0 || !file_map_sealed(fd, &bytes)) {
        log_error("bans arrived damaged: nobody is banned");
        return;
    }
    bans_take_all(g->bans, bytes);
    file_unmap(bytes);
}

static void drain_server(struct gate *g, const struct gate_server *m)
{
    upstream_registry_drain(g->registry, str_from(m->service, m->service_bytes),
                            str_from(m->name, m->name_bytes), m->is_drained != 0);
}

static void take_log(struct gate_log *m, int fd)
{
    m->target.fd = fd;
    if (m->target.kind != LOG_TO_FD || is_there(fd, "a log file"))
        log_set_target(m->stream, &m->target);
}

static void take_listener(struct gate *g, const struct gate_listen *m, int fd)
{
    ASSERT(g->crew != NULL); // it comes after the first snapshot's GATE_READY
    if (is_there(fd, "a listening socket"))
        crew_listen(g->crew, m->id, m->worker, str_from(m->name, m->name_bytes), fd);
}

static void take_spool(struct gate *g, const struct gate_spool *m, int fd)
{
    ASSERT(!g->crew && !g->slots); // it comes before the first snapshot
    if (!is_there(fd, "the spool's file"))
        return;
    g->slots = slots_new(fd, m->max_bytes, g->disk);
    g->questions.process.spool_max_bytes = m->max_bytes;
}

union order {
    struct gate_log log;
    struct gate_listen listen;
    struct gate_unlisten unlisten;
    struct gate_snapshot snapshot;
    struct gate_drain drain;
    struct gate_question question;
    struct gate_knowledge knowledge;
    struct gate_verdict verdict;
    struct gate_ban ban;
    struct gate_server server;
    struct gate_api api;
    struct gate_spool spool;
};

static void take_question(struct gate *g, const union order *m)
{
    if (m->question.type == GATE_PING)
        questions_ping(&g->questions, m->question.seq);
    else if (m->question.type == GATE_ASK)
        questions_ask(&g->questions, m->question.seq);
    else
        api_desk_take(&g->api_desk, &m->api);
}

// What the keeper has opened: fd is taken over.
static void take_open(struct gate *g, uint32_t type, union order *m, int fd)
{
    if (type == GATE_LOG)
        take_log(&m->log, fd);
    else if (type == GATE_LISTEN)
        take_listener(g, &m->listen, fd);
    else
        take_spool(g, &m->spool, fd);
}

// One message from the keeper. fd is ours.
static void take_message(struct gate *g, const char *buf, size_t len, int fd)
{
    uint32_t type;
    ASSERT(len >= sizeof type);
    memcpy(&type, buf, sizeof type);
    union order m;
    memset(&m, 0, sizeof m);
    memcpy(&m, buf, MIN(len, sizeof m));
    switch ((enum gate_message)type) {
    case GATE_LOG:
    case GATE_LISTEN:
    case GATE_SPOOL:
        take_open(g, type, &m, fd);
        return;
    case GATE_UNLISTEN:
        crew_unlisten(g->crew, m.unlisten.id);
        break;
    case GATE_NAMES:
        take_names(g, fd);
        break;
    case GATE_CERTS:
    case GATE_TICKETS:
    case GATE_CHALLENGES:
    case GATE_COOKIE_KEY:
        take_secrets(g, type, fd);
        break;
    case GATE_SNAPSHOT:
        take_snapshot(g, &m.snapshot, fd);
        break;
    case GATE_DRAIN:
        begin_drain(g, m.drain.idle_ms, m.drain.limit_ms);
        break;
    case GATE_PING:
    case GATE_ASK:
    case GATE_API:
        take_question(g, &m);
        break;
    case GATE_VERDICT:
        take_verdict(g, &m.verdict);
        break;
    case GATE_SERVER:
        drain_server(g, &m.server);
        break;
    case GATE_FORGET_PINS:
        pins_forget(g->pins);
        break;
    case GATE_BANS:
    case GATE_BAN:
    case GATE_UNBAN:
        take_bans(g, type, &m.ban.ban, fd);
        break;
    case GATE_KNOWLEDGE:
        insight_take(g->insight, &m.knowledge, fd);
        break;
    case GATE_LAST:
        insight_set_ending(g->insight);
        break;
    case GATE_PAGE:
    case GATE_PETITION:
    case GATE_INQUIRY:
    case GATE_READY:
    case GATE_REFUSED:
    case GATE_PONG:
    case GATE_STATUS:
        panic("the keeper sent message %u, which isn't for a gate", type);
    }
    if (fd >= 0)
        sys_close(fd);
}

static void on_channel(struct rt_sock *s)
{
    struct gate *g = CONTAINER_OF(s, struct gate, channel);
    static char buf[CHANNEL_MESSAGE_MAX_BYTES];
    for (;;) {
        size_t len;
        int fd;
        enum io io = channel_receive(s->fd, buf, sizeof buf, &len, &fd);
        if (io == IO_AGAIN)
            return;
        if (io != IO_DONE) {
            log_warn("the keeper is gone: leaving");
            begin_drain(g, 0, 0);
            return;
        }
        take_message(g, buf, len, fd);
    }
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void ignore_signals(void)
{
    // Orders come through the channel. A terminal's Ctrl-C goes to the whole group, and so does a
    // service manager's SIGTERM: the keeper decides.
    static const int ignored[] = {
        SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
        SIGPIPE, SIGUSR1, SIGUSR2, SIGXFSZ}; // the spool's file reaches a limit: an errno says so
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
}

int gate_main(void)
{
    ignore_signals();
    prctl(PR_SET_NAME, "sallyport"); // it was executed as /proc/self/exe, and ps would say "exe"
    raise_descriptor_limit();
    usage_prepare();
    tls_init(); // while files can be read
    tzset();    // the same
    struct hash_key key;
    sys_random(&key, sizeof key);
    hash_seed(key);
    struct gate g = {.loop = loop_new(&(struct loop_options){.fibers_max = 0})};
    loop_enter(g.loop);
    g.registry = upstream_registry_new();
    g.states = filter_states_new();
    g.meters = meters_new();
    g.credentials.replay = tls_replay_new(clock_now_ms());
    g.offload = offload_new(0, OFFLOAD_QUEUE_MAX); // its threads come in the sandbox
    g.disk = offload_new(0, DISK_QUEUE_MAX);       // the same
    g.petitions = petitions_new(g.loop, GATE_CHANNEL_FD);
    g.pins = pins_new(g.petitions);
    g.insight = insight_new(GATE_CHANNEL_FD, &g.questions);
    g.api_desk = (struct api_desk){.insight = g.insight, .channel = GATE_CHANNEL_FD};
    g.bans = bans_new(g.loop, GATE_CHANNEL_FD);
    g.credentials.demand = demand_new(g.petitions);
    struct upstream_pinning pinning = pins_pinning(g.pins);
    upstream_registry_set_pinning(g.registry, &pinning);
    g.questions.channel = GATE_CHANNEL_FD;
    g.questions.credentials = &g.credentials;
    g.questions.process.started_ns = clock_wall_ns();
    sock_init(&g.channel, GATE_CHANNEL_FD);
    g.channel.on_event = on_channel;
    sock_watch(&g.channel);
    loop_run(g.loop);
    log_stop();
    // Everything else ends with the process: workers may still hold what we would free.
    _exit(0);
}
