// SPDX-License-Identifier: Apache-2.0
#include "keeper/containers.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/num.h"
#include "discover/reach.h"

struct known {
    struct list_node node;      // in containers.all
    struct list_node away_node; // in containers.away, or in none
    char *bytes;                // owns: the message as it came, or none when it is refused
    size_t n_bytes;
    char id[CONTAINER_ID_MAX_BYTES + 1];
    char name[CONTAINER_NAME_MAX_BYTES + 1];
    char why[MESSAGE_WHY_MAX_BYTES + 1]; // it is refused; or empty
    bool is_labelled;                    // its labels may mean something to us
    bool is_gone;                        // the engine doesn't know it any more
    int64_t away_since_ms;               // it doesn't run since then; 0: it does
    unsigned listing;                    // in which it was told last
};

void containers_init(struct containers *c, struct str own_id)
{
    *c = (struct containers){.n = 0};
    list_init(&c->all);
    list_init(&c->away);
    if (own_id.len > 0)
        c->own_id = str_from(mem_copy(own_id.ptr, own_id.len), own_id.len);
}

static void take_name(struct containers *c, struct known *k)
{
    if (map_get(&c->by_name, str_of(k->name)) == k)
        map_remove(&c->by_name, str_of(k->name));
}

static void forget(struct containers *c, struct known *k)
{
    list_remove(&k->node);
    list_remove(&k->away_node);
    map_remove(&c->by_id, str_of(k->id));
    take_name(c, k);
    c->n--;
    c->n_bytes -= k->n_bytes;
    mem_free(k->bytes);
    mem_free(k);
}

void containers_fini(struct containers *c)
{
    LIST_FOR_SAFE (n, &c->all)
        forget(c, CONTAINER_OF(n, struct known, node));
    map_fini(&c->by_id);
    map_fini(&c->by_name);
    mem_free((void *)(uintptr_t)c->own_id.ptr);
}

// --- what is told ---

static struct known *find(const struct containers *c, struct str id)
{
    return map_get(&c->by_id, id);
}

static bool has_labels(const struct container *c)
{
    for (size_t i = 0; i < c->n_labels; i++) {
        if (str_istarts(c->labels[i].name, STR("sallyport.")) ||
            str_istarts(c->labels[i].name, STR("traefik.")))
            return true;
    }
    return false;
}

static void copy_text(char *to, size_t cap, struct str s)
{
    s = str_first(s, cap - 1);
    *str_copy(to, s) = '\0';
}

static struct known *new_known(struct containers *c, struct str id)
{
    struct known *k = MEM_NEW(struct known);
    copy_text(k->id, sizeof k->id, id);
    list_push_back(&c->all, &k->node);
    map_set(&c->by_id, str_of(k->id), k);
    c->n++;
    return k;
}

static bool is_away(enum container_state state)
{
    return state == CONTAINER_EXITED || state == CONTAINER_DEAD || state == CONTAINER_REMOVING ||
           state == CONTAINER_CREATED;
}

// Gives it its name. One that had it was its predecessor. True: there was one.
static bool give_name(struct containers *c, struct known *k, struct str name)
{
    if (str_eq(str_of(k->name), name))
        return false;
    take_name(c, k);
    copy_text(k->name, sizeof k->name, name);
    struct known *before = map_get(&c->by_name, str_of(k->name));
    if (before)
        forget(c, before);
    map_set(&c->by_name, str_of(k->name), k);
    return before != NULL;
}

static void set_away(struct containers *c, struct known *k, int64_t since_ms)
{
    k->away_since_ms = since_ms;
    list_remove(&k->away_node);
    struct list_node *at = c->away.head.prev; // the latest as a rule
    while (at != &c->away.head &&
           CONTAINER_OF(at, struct known, away_node)->away_since_ms > since_ms)
        at = at->prev;
    if (since_ms > 0)
        list_insert_after(at, &k->away_node);
}

static bool matters(const struct containers *c, const struct known *k)
{
    return k->is_labelled || (c->own_id.len > 0 && str_starts(str_of(k->id), c->own_id));
}

static bool set_bytes(struct containers *c, struct known *k, struct str bytes)
{
    if (str_eq(str_from(k->bytes, k->n_bytes), bytes))
        return false;
    c->n_bytes += bytes.len - k->n_bytes;
    mem_free(k->bytes);
    k->bytes = bytes.len > 0 ? mem_copy(bytes.ptr, bytes.len) : NULL;
    k->n_bytes = bytes.len;
    return true;
}

static bool take_container(struct containers *c, const struct container *what, struct str bytes,
                           int64_t now_ms)
{
    struct known *k = find(c, what->id);
    // One that never ran while we looked has nothing to linger.
    if (!k && is_away(what->state))
        return false;
    if (!k && (c->n >= CONTAINERS_MAX || c->n_bytes + bytes.len > CONTAINERS_MAX_BYTES))
        return false;
    if (!k)
        k = new_known(c, what->id);
    bool did_matter = matters(c, k);
    bool has_changed = set_bytes(c, k, bytes) || k->is_gone;
    has_changed = give_name(c, k, what->name) || has_changed;
    k->why[0] = '\0';
    k->is_labelled = has_labels(what);
    k->is_gone = false;
    k->listing = c->listing;
    if (!is_away(what->state))
        set_away(c, k, 0);
    else if (k->away_since_ms == 0)
        set_away(c, k, now_ms);
    return has_changed && (did_matter || matters(c, k));
}

static bool take_refused(struct containers *c, const struct message *m)
{
    struct known *k = find(c, m->id);
    if (!k && c->n >= CONTAINERS_MAX)
        return false;
    if (!k)
        k = new_known(c, m->id);
    bool did_matter = matters(c, k);
    k->listing = c->listing;
    k->is_labelled = false;
    copy_text(k->why, sizeof k->why, m->why);
    return set_bytes(c, k, STR_NONE) && did_matter;
}

static bool take_gone(struct containers *c, struct known *k, int64_t now_ms)
{
    if (!k || k->is_gone)
        return false;
    if (k->n_bytes == 0 || !matters(c, k)) {
        forget(c, k);
        return false;
    }
    k->is_gone = true;
    if (k->away_since_ms > 0)
        return false; // it had stopped before
    set_away(c, k, now_ms);
    return true;
}

// The engine fails to tell how it is now.
static void take_kept(struct containers *c, const struct message *m)
{
    struct known *k = find(c, m->id);
    if (!k && c->n >= CONTAINERS_MAX)
        return;
    if (!k)
        k = new_known(c, m->id);
    k->listing = c->listing;
    copy_text(k->why, sizeof k->why, m->why);
}

// What the list didn't tell isn't there.
static bool end_listing(struct containers *c, int64_t now_ms)
{
    bool has_changed = false;
    c->is_listing = false;
    LIST_FOR_SAFE (n, &c->all) {
        struct known *k = CONTAINER_OF(n, struct known, node);
        if (k->listing != c->listing)
            has_changed = take_gone(c, k, now_ms) || has_changed;
    }
    return has_changed;
}

bool containers_take(struct containers *c, const struct message *m, struct str bytes,
                     int64_t now_ms)
{
    switch (m->kind) {
    case MESSAGE_CONTAINER:
        return take_container(c, &m->container, bytes, now_ms);
    case MESSAGE_REFUSED:
        return take_refused(c, m);
    case MESSAGE_KEPT:
        take_kept(c, m);
        return false;
    case MESSAGE_GONE:
        return take_gone(c, find(c, m->id), now_ms);
    case MESSAGE_LISTING:
        c->listing++;
        c->is_listing = true;
        return false;
    case MESSAGE_SYNCED:
        return c->is_listing && end_listing(c, now_ms);
    case MESSAGE_HELLO:
    case MESSAGE_TROUBLE:
        break;
    }
    return false;
}

bool containers_forget(struct containers *c, int64_t linger_ms, int64_t now_ms, int64_t *next_ms)
{
    bool has_changed = false;
    LIST_FOR_SAFE (n, &c->away) {
        struct known *k = CONTAINER_OF(n, struct known, away_node);
        int64_t due_ms = k->away_since_ms + linger_ms;
        if (now_ms < due_ms) {
            *next_ms = MIN(*next_ms, due_ms);
            break;
        }
        has_changed = matters(c, k) || has_changed;
        forget(c, k);
    }
    return has_changed;
}

// --- handing over ---

static const struct place nowhere = {.source = NULL};

static void put(struct conf_node *map, const char *key, struct str text, struct arena *mem)
{
    conf_node_put(map, str_of(key), conf_node_scalar(mem, text, nowhere));
}

void containers_pack(const struct containers *c, struct text *to)
{
    struct arena mem;
    arena_init(&mem, CONTAINERS_MAX_BYTES, NULL, 0);
    struct conf_node *all = conf_node_new(&mem, CONF_NODE_SEQ, nowhere);
    LIST_FOR (n, &c->all) {
        const struct known *k = CONTAINER_OF(n, struct known, node);
        if (k->n_bytes == 0)
            continue; // nothing is made of it
        struct conf_node *one = conf_node_new(&mem, CONF_NODE_MAP, nowhere);
        put(one, "message", str_from(k->bytes, k->n_bytes), &mem);
        put(one, "gone", k->is_gone ? STR("yes") : STR("no"), &mem);
        put(one, "away-since",
            arena_printf(&mem, "%llu", (unsigned long long)MAX(k->away_since_ms, (int64_t)0)),
            &mem);
        conf_node_append(all, one);
    }
    conf_node_pack(all, to);
    arena_fini(&mem);
}

static void unpack_one(struct containers *c, const struct conf_node *one, struct arena *mem)
{
    const struct conf_node *message = conf_node_get(one, STR("message"));
    const struct conf_node *gone = conf_node_get(one, STR("gone"));
    const struct conf_node *away = conf_node_get(one, STR("away-since"));
    uint64_t since_ms = 0;
    struct message m;
    if (!message || !gone || !away || !message_unpack(message->text, mem, &m) ||
        m.kind != MESSAGE_CONTAINER || num_dec(away->text, INT64_MAX, &since_ms) != ERR_OK ||
        find(c, m.container.id))
        return;
    struct known *k = new_known(c, m.container.id);
    (void)set_bytes(c, k, message->text);
    (void)give_name(c, k, m.container.name);
    k->is_labelled = has_labels(&m.container);
    k->is_gone = str_eq(gone->text, STR("yes"));
    set_away(c, k, (int64_t)since_ms);
}

void containers_unpack(struct containers *c, struct str bytes)
{
    struct arena mem;
    arena_init(&mem, CONTAINERS_MAX_BYTES * 2, NULL, 0);
    const struct conf_node *all = conf_node_unpack(bytes, &mem);
    for (const struct conf_node *one = all ? all->first : NULL; one; one = one->next)
        unpack_one(c, one, &mem);
    arena_fini(&mem);
}

// --- what is known ---

static int compare(const void *a, const void *b)
{
    const struct container *x = *(const struct container *const *)a;
    const struct container *y = *(const struct container *const *)b;
    int ready = container_is_ready(y) - container_is_ready(x);
    int names = str_cmp(x->name, y->name);
    return ready != 0 ? ready : names != 0 ? names : str_cmp(x->id, y->id);
}

static struct container *unpack(const struct known *k, struct arena *mem)
{
    struct message m;
    struct str bytes = arena_dup(mem, str_from(k->bytes, k->n_bytes));
    struct container *c = ARENA_NEW(mem, struct container);
    if (!bytes.ptr || !c || !message_unpack(bytes, mem, &m) || m.kind != MESSAGE_CONTAINER)
        return NULL;
    *c = m.container;
    if (k->is_gone)
        c->state = CONTAINER_EXITED;
    return c;
}

const struct container *const *containers_list(const struct containers *c, struct arena *mem,
                                               size_t *ret_n)
{
    const struct container **list = ARENA_ARRAY(mem, const struct container *, c->n + 1);
    *ret_n = 0;
    LIST_FOR (n, &c->all) {
        const struct known *k = CONTAINER_OF(n, struct known, node);
        const struct container *one = list && k->n_bytes > 0 ? unpack(k, mem) : NULL;
        if (one)
            list[(*ret_n)++] = one;
    }
    if (*ret_n > 1)
        qsort(list, *ret_n, sizeof list[0], compare);
    return list;
}

const struct container *containers_self(const struct containers *c,
                                        const struct container *const *list, size_t n)
{
    for (size_t i = 0; i < n && c->own_id.len > 0; i++) {
        if (str_starts(list[i]->id, c->own_id))
            return list[i];
    }
    return NULL;
}

size_t containers_n_labelled(const struct containers *c)
{
    size_t n_labelled = 0;
    LIST_FOR (n, &c->all)
        n_labelled += CONTAINER_OF(n, struct known, node)->is_labelled;
    return n_labelled;
}

void containers_each_refused(const struct containers *c, containers_refused_fn *fn, void *arg)
{
    LIST_FOR (n, &c->all) {
        const struct known *k = CONTAINER_OF(n, struct known, node);
        if (k->why[0])
            fn(arg, str_of(k->id), str_of(k->why));
    }
}
