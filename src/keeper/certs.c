// SPDX-License-Identifier: Apache-2.0
// A bundle is made anew whenever anything has changed: certificates from files first, then what
// the store has, then what the local CA makes for names that neither covers.
#include "keeper/certs.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "keeper/certs_priv.h"
#include "rt/clock.h"
#include "rt/file.h"
#include "rt/log.h"
#include "tls/bundle.h"

#define WISHES_MEM_MAX_BYTES ((size_t)256 << 20)
#define CERT_MEM_MAX_BYTES ((size_t)16 << 20)
#define BUNDLE_MEM_MAX_BYTES ((size_t)256 << 20)
#define DNS_NAME_MAX_BYTES 253
#define LOOK_AGAIN_S 86400 // at the latest
#define RETRY_S 60         // after the local CA has failed
#define SETTLED_S 1
// The local CA makes some hundred certificates a second: many are made in turns, between which the
// keeper does everything else.
#define MAKE_FIRST_MS 200
#define MAKE_AT_LEAST 64 // in a turn
#define MAKE_TURN_MS 50
#define NEXT_TURN_NS 1000000
#define PACK_EACH 1000

static const struct str fallback_name = STR_INIT("default.invalid"); // RFC 6761 6.4

// --- opening what is needed ---

struct certs_store *keeper_certs_store(struct keeper_certs *k, const char **ret_why)
{
    struct diags diags = {.n = 0};
    *ret_why = "the folder for the state can't be used";
    if (k->store || k->is_store_broken)
        return k->store;
    k->store = certs_store_open(k->state, &diags);
    k->is_store_broken = !k->store;
    if (k->store && !certs_store_hold(k->store, CERTS_HOLD_TOGETHER))
        log_warn("state %s: a command is working on it at this moment", k->state);
    for (size_t i = 0; i < diags.n; i++)
        log_warn("state %s: %s", k->state, diags.items[i].text);
    diags_fini(&diags);
    return k->store;
}

// The local CA; without a store one that lives as long as this process.
static const struct certs_local_ca *local_ca(struct keeper_certs *k, int64_t now_s,
                                             const char **ret_why)
{
    if (k->ca && !certs_local_ca_is_due(k->ca, now_s))
        return k->ca;
    struct certs_store *store = keeper_certs_store(k, ret_why);
    struct certs_local_ca *ca = store ? certs_local_ca_open(store, now_s, ret_why) : NULL;
    if (!ca && !k->ca) {
        log_warn("the local CA can't be kept in %s, clients will have to trust another one next "
                 "time: %s",
                 k->state, *ret_why);
        ca = certs_local_ca_open(NULL, now_s, ret_why);
    }
    if (ca) {
        certs_local_ca_close(k->ca);
        k->ca = ca;
    }
    return k->ca;
}

// --- one site ---

static struct site_cert *new_site(const struct keeper_certs_name *wish)
{
    struct site_cert *s = MEM_NEW(struct site_cert);
    s->wish = *wish;
    arena_init(&s->stored_mem, CERT_MEM_MAX_BYTES, NULL, 0);
    arena_init(&s->local_mem, CERT_MEM_MAX_BYTES, NULL, 0);
    return s;
}

static void free_site(struct site_cert *s)
{
    if (!s)
        return;
    arena_wipe(&s->stored_mem);
    arena_wipe(&s->local_mem);
    mem_free(s);
}

static bool is_local(const struct site_cert *s)
{
    return str_eq(s->wish.issuer, STR(CERTS_ISSUER_LOCAL));
}

static void read_stored(struct keeper_certs *k, struct site_cert *s, int64_t now_s)
{
    const char *why = NULL;
    struct certs_store *store = is_local(s) ? NULL : keeper_certs_store(k, &why);
    arena_wipe(&s->stored_mem);
    arena_init(&s->stored_mem, CERT_MEM_MAX_BYTES, NULL, 0);
    s->stored = (struct certs_stored){.id = STR_NONE};
    s->why = NULL;
    s->is_read = true;
    if (!store)
        return;
    enum err err = certs_store_get(store, s->wish.id, now_s, &s->stored_mem, &s->stored, &why);
    if (err == ERR_OK)
        return;
    s->stored.cert = (struct tls_credential){.n_chain = 0};
    if (err == ERR_NOT_FOUND)
        return;
    s->why = arena_dup(&s->stored_mem, str_of(why)).ptr;
    log_error("the certificate " STR_FMT " in %s can't be used: %s", STR_ARG(s->wish.id), k->state,
              why);
}

// The names of usable certificates from files.
static void map_files(struct keeper_certs *k)
{
    map_fini(&k->file_names);
    for (size_t i = 0; i < certs_files_n(k->files); i++) {
        const struct certs_file *file = certs_files_get(k->files, i);
        for (size_t n = 0; file->cert.n_chain > 0 && n < file->cert.leaf.n_names; n++)
            map_set(&k->file_names, file->cert.leaf.names[n], k);
    }
}

bool keeper_certs_has_file_for(const struct keeper_certs *k, struct str name)
{
    char buf[DNS_NAME_MAX_BYTES + 2];
    struct str parent;
    if (map_get(&k->file_names, name))
        return true;
    if (name.len > DNS_NAME_MAX_BYTES || !str_cut(name, '.', NULL, &parent))
        return false;
    size_t len = (size_t)(str_copy(str_copy(buf, STR("*.")), parent) - buf);
    return map_get(&k->file_names, str_from(buf, len)) != NULL;
}

static bool is_covered(const struct keeper_certs *k, const struct site_cert *s, struct str name)
{
    return (s->stored.cert.n_chain > 0 && tls_cert_covers(&s->stored.cert.leaf, name)) ||
           keeper_certs_has_file_for(k, name);
}

static bool has_names(const struct tls_cert_info *info, const struct str *names, size_t n)
{
    if (info->n_names != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(info->names[i], names[i]))
            return false;
    }
    return true;
}

static void drop_local(struct site_cert *s)
{
    arena_wipe(&s->local_mem);
    arena_init(&s->local_mem, CERT_MEM_MAX_BYTES, NULL, 0);
    s->local = (struct tls_credential){.n_chain = 0};
    s->local_why = NULL;
}

// A certificate of the local CA for these names; the one there is, if it's good.
static void make_local(struct keeper_certs *k, struct site_cert *s, const struct str *names,
                       size_t n, int64_t now_s)
{
    const char *why = NULL;
    s->is_waiting = false;
    bool is_good = s->local.n_chain > 0 && has_names(&s->local.leaf, names, n) &&
                   now_s < certs_renewal_s(&s->local.leaf) && now_s >= s->local.leaf.not_before_s;
    if (is_good)
        return;
    if (k->n_made >= MAKE_AT_LEAST && clock_now_ms() >= k->make_until_ms) {
        s->is_waiting = true; // what there is stays until then
        k->n_waiting++;
        return;
    }
    k->n_made++;
    drop_local(s);
    const struct certs_local_ca *ca = local_ca(k, now_s, &why);
    if (ca && certs_local_ca_leaf(ca, names, n, now_s, &s->local_mem, &s->local, &why) == ERR_OK)
        return;
    drop_local(s);
    s->local_why = why;
    log_error("the local CA makes no certificate for " STR_FMT ": %s", STR_ARG(names[0]), why);
}

static void complete_site(struct keeper_certs *k, struct site_cert *s, int64_t now_s)
{
    struct str *open = MEM_ARRAY(struct str, s->wish.n_names + 1);
    size_t n = 0;
    if (!s->is_read)
        read_stored(k, s, now_s);
    for (size_t i = 0; i < s->wish.n_names; i++) {
        if (!is_covered(k, s, s->wish.names[i]))
            open[n++] = s->wish.names[i];
    }
    if (n > 0)
        make_local(k, s, open, n, now_s);
    else
        drop_local(s);
    s->is_waiting = s->is_waiting && n > 0;
    mem_free(open);
}

// --- the bundle ---

struct packing {
    struct tls_bundle_item *items;
    size_t n;
    size_t n_own;  // before those on demand
    size_t marked; // index of the one that settings mark as the default, or SIZE_MAX
};

static void add(struct packing *p, struct str id, const struct tls_credential *cert,
                bool is_local_ca, bool is_default)
{
    if (cert->n_chain == 0)
        return;
    if (is_default && p->marked == SIZE_MAX)
        p->marked = p->n;
    p->items[p->n++] = (struct tls_bundle_item){
        .id = id,
        .names = cert->leaf.names,
        .n_names = MIN(cert->leaf.n_names, (size_t)TLS_BUNDLE_NAMES_MAX),
        .chain_pem = cert->chain_pem,
        .key_pem = cert->key_pem,
        .is_local_ca = is_local_ca,
    };
}

static void add_all(const struct keeper_certs *k, struct packing *p)
{
    for (size_t i = 0; i < certs_files_n(k->files); i++) {
        const struct certs_file *file = certs_files_get(k->files, i);
        add(p, file->path, &file->cert, false, file->is_default);
    }
    p->n_own = p->n;
    for (size_t i = 0; i < k->n_sites; i++) {
        const struct site_cert *s = k->sites[i];
        add(p, s->wish.id, &s->stored.cert, false, s->wish.is_default);
        add(p, s->wish.id, &s->local, true, s->wish.is_default);
        if (!s->wish.is_on_demand)
            p->n_own = p->n;
    }
}

// Answers names that no certificate has, where no other certificate can.
static void complete_fallback(struct keeper_certs *k, struct packing *p, int64_t now_s)
{
    const struct keeper_certs_name wish = {.id = fallback_name,
                                           .names = &fallback_name,
                                           .n_names = 1,
                                           .issuer = STR(CERTS_ISSUER_LOCAL)};
    if (!k->has_tls || p->n_own > 0) {
        free_site(k->fallback);
        k->fallback = NULL;
        return;
    }
    if (!k->fallback)
        k->fallback = new_site(&wish);
    make_local(k, k->fallback, &fallback_name, 1, now_s);
    add(p, fallback_name, &k->fallback->local, true, true);
}

// True: it's another one than before.
static bool pack(struct keeper_certs *k, int64_t now_s)
{
    size_t max = certs_files_n(k->files) + 2 * k->n_sites + 1;
    struct text bundle = {.ptr = NULL};
    struct packing p = {.items = MEM_ARRAY(struct tls_bundle_item, max), .marked = SIZE_MAX};
    add_all(k, &p);
    complete_fallback(k, &p, now_s);
    if (p.n > 0)
        p.items[p.marked == SIZE_MAX ? 0 : p.marked].is_default = true;
    tls_bundle_pack(p.items, MIN(p.n, (size_t)TLS_BUNDLE_ITEMS_MAX), &bundle);
    mem_free(p.items);
    k->n_packed = p.n;
    bool has_changed = !str_eq(text_str(&bundle), text_str(&k->bundle));
    text_wipe(&k->bundle);
    k->bundle = bundle;
    return has_changed;
}

static void set_timer(struct keeper_certs *k, int64_t now_s)
{
    int64_t at_s = now_s + LOOK_AGAIN_S;
    for (size_t i = 0; i <= k->n_sites; i++) {
        const struct site_cert *s = i < k->n_sites ? k->sites[i] : k->fallback;
        if (s && s->local.n_chain > 0)
            at_s = MIN(at_s, certs_renewal_s(&s->local.leaf));
        if (s && s->local_why)
            at_s = MIN(at_s, now_s + RETRY_S);
    }
    at_s = MAX(at_s, now_s + SETTLED_S);
    struct itimerspec at = {.it_value.tv_sec = at_s - now_s};
    if (k->n_waiting > 0)
        at.it_value = (struct timespec){.tv_nsec = NEXT_TURN_NS};
    timerfd_settime(k->timer, 0, &at, NULL);
}

static size_t count_made(const struct keeper_certs *k)
{
    size_t n = 0;
    for (size_t i = 0; i < k->n_sites; i++)
        n += k->sites[i]->local.n_chain > 0;
    return n;
}

// is_turn: nothing has happened but that it's time for more of what waits. The gate reads what is
// new in a bundle at once and does nothing else meanwhile, so it gets some at a time.
static bool rebuild(struct keeper_certs *k, int64_t now_s, bool is_turn)
{
    map_files(k);
    k->n_waiting = 0;
    k->n_made = 0;
    k->make_until_ms = clock_now_ms() + (is_turn ? MAKE_TURN_MS : MAKE_FIRST_MS);
    for (size_t i = 0; i < k->n_sites; i++)
        complete_site(k, k->sites[i], now_s);
    bool must_pack = !is_turn || k->n_waiting == 0 || count_made(k) >= k->n_packed + PACK_EACH;
    bool has_changed = must_pack && pack(k, now_s);
    set_timer(k, now_s);
    return has_changed;
}

// --- telling ---

// Each bad file is told when it becomes so, not each time that another one changes.
static void tell_files(struct keeper_certs *k)
{
    struct text now = {.ptr = NULL};
    for (size_t i = 0; i < certs_files_n(k->files); i++) {
        const struct certs_file *file = certs_files_get(k->files, i);
        const char *why = file->why ? file->why : tls_flaw_text(file->cert.flaws);
        size_t from = now.len;
        if (why[0] == '\0')
            continue;
        text_printf(&now, STR_FMT ": %s\n", STR_ARG(file->path), why);
        if (str_search(text_str(&k->told), str_skip(text_str(&now), from)) != STR_NPOS)
            continue;
        log_warn("certificate " STR_FMT "%s: %s", STR_ARG(file->path),
                 file->cert.n_chain > 0 ? "" : " is skipped", why);
    }
    text_fini(&k->told);
    k->told = now;
}

// --- for the keeper ---

static bool add_to_set(int set, int fd)
{
    struct epoll_event e = {.events = EPOLLIN};
    return fd >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) == 0;
}

struct keeper_certs *keeper_certs_new(const char *state)
{
    struct keeper_certs *k = MEM_NEW(struct keeper_certs);
    k->state = mem_copy(state, strlen(state));
    k->files = certs_files_new();
    k->set = epoll_create1(EPOLL_CLOEXEC);
    k->timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (!add_to_set(k->set, k->timer) || !add_to_set(k->set, certs_files_fd(k->files)))
        log_warn("changes of certificates in files won't be seen: %s", strerror(errno));
    tls_bundle_pack(NULL, 0, &k->bundle);
    return k;
}

static void free_sites(struct site_cert **sites, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free_site(sites[i]);
    mem_free(sites);
}

void keeper_certs_free(struct keeper_certs *k)
{
    if (!k)
        return;
    free_sites(k->sites, k->n_sites);
    free_site(k->fallback);
    map_fini(&k->file_names);
    certs_files_free(k->files);
    certs_local_ca_close(k->ca);
    certs_store_close(k->store);
    arena_fini(&k->wishes_mem);
    text_fini(&k->told);
    text_wipe(&k->bundle);
    if (k->set >= 0)
        close(k->set);
    if (k->timer >= 0)
        close(k->timer);
    mem_free(k->state);
    mem_free(k);
}

static void copy_wish(struct keeper_certs_name *wish, struct arena *mem)
{
    struct str *names = ARENA_ARRAY(mem, struct str, wish->n_names);
    ASSERT(names); // settings have limits below this arena's
    for (size_t i = 0; i < wish->n_names; i++)
        names[i] = arena_dup(mem, wish->names[i]);
    wish->names = names;
    wish->id = arena_dup(mem, wish->id);
    wish->issuer = arena_dup(mem, wish->issuer);
}

// What is known of a certificate stays known.
static void take_sites(struct keeper_certs *k, const struct keeper_certs_wish *wish)
{
    struct arena mem;
    struct map old = {.n = 0};
    struct site_cert **sites = MEM_ARRAY(struct site_cert *, wish->n_names + 1);
    arena_init(&mem, WISHES_MEM_MAX_BYTES, NULL, 0);
    for (size_t i = 0; i < k->n_sites; i++)
        map_set(&old, k->sites[i]->wish.id, &k->sites[i]);
    for (size_t i = 0; i < wish->n_names; i++) {
        struct keeper_certs_name name = wish->names[i];
        copy_wish(&name, &mem);
        struct site_cert **was = map_get(&old, name.id);
        bool is_known = was && *was && str_eq((*was)->wish.issuer, name.issuer);
        sites[i] = is_known ? *was : new_site(&name);
        if (is_known) {
            sites[i]->wish = name;
            *was = NULL;
        }
    }
    map_fini(&old);
    free_sites(k->sites, k->n_sites);
    arena_fini(&k->wishes_mem);
    k->wishes_mem = mem;
    k->sites = sites;
    k->n_sites = wish->n_names;
}

bool keeper_certs_want(struct keeper_certs *k, const struct keeper_certs_wish *wish, int64_t now_s)
{
    k->has_tls = wish->has_tls;
    k->is_store_broken = false; // another try with each reload
    take_sites(k, wish);
    certs_files_want(k->files, wish->files, wish->n_files, now_s);
    tell_files(k);
    return rebuild(k, now_s, false);
}

int keeper_certs_fd(const struct keeper_certs *k)
{
    return k->set;
}

bool keeper_certs_look(struct keeper_certs *k, int64_t now_s)
{
    uint64_t expired;
    bool is_time = read(k->timer, &expired, sizeof expired) == (ssize_t)sizeof expired;
    bool is_new = certs_files_look(k->files, now_s);
    if (is_new)
        tell_files(k);
    bool is_turn = is_time && !is_new && k->n_waiting > 0;
    return (is_time || is_new) && rebuild(k, now_s, is_turn);
}

bool keeper_certs_refresh(struct keeper_certs *k, struct str id, int64_t now_s)
{
    for (size_t i = 0; i < k->n_sites; i++) {
        struct site_cert *s = k->sites[i];
        if (id.len == 0 || str_eq(s->wish.id, id))
            s->is_read = false;
    }
    return rebuild(k, now_s, false);
}

int keeper_certs_packed(const struct keeper_certs *k)
{
    return file_sealed("sallyport certificates", text_str(&k->bundle));
}

int64_t keeper_certs_end_s(const struct keeper_certs *k, struct str id)
{
    for (size_t i = 0; i < k->n_sites; i++) {
        const struct site_cert *s = k->sites[i];
        if (str_eq(s->wish.id, id))
            return s->stored.cert.n_chain > 0 ? s->stored.cert.leaf.not_after_s : 0;
    }
    return 0;
}

static bool is_expiring(const struct tls_credential *cert, int64_t now_s, int64_t within_s)
{
    const struct tls_cert_info *leaf = &cert->leaf;
    int64_t life_s = leaf->not_after_s - leaf->not_before_s;
    return cert->n_chain > 0 && leaf->not_after_s - now_s < MIN(within_s, life_s / 4);
}

void keeper_certs_expiring(const struct keeper_certs *k, int64_t now_s, int64_t within_s,
                           void (*fn)(void *arg, const struct keeper_certs_expiring *e), void *arg)
{
    for (size_t i = 0; i < certs_files_n(k->files); i++) {
        const struct certs_file *file = certs_files_get(k->files, i);
        if (is_expiring(&file->cert, now_s, within_s))
            fn(arg, &(struct keeper_certs_expiring){
                        .id = file->path, .path = file->path, .leaf = &file->cert.leaf});
    }
    for (size_t i = 0; i < k->n_sites; i++) {
        const struct certs_stored *stored = &k->sites[i]->stored;
        if (is_expiring(&stored->cert, now_s, within_s))
            fn(arg, &(struct keeper_certs_expiring){.id = k->sites[i]->wish.id,
                                                    .issuer = stored->meta.issuer,
                                                    .leaf = &stored->cert.leaf});
    }
}
