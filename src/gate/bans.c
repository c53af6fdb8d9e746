// SPDX-License-Identifier: Apache-2.0
#include "gate/bans.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/hash.h"
#include "base/mem.h"
#include "gate/protocol.h"
#include "http/forward.h"
#include "rt/channel.h"
#include "rt/clock.h"
#include "rt/log.h"
#include "rt/timer.h"

#define WAYS 8
#define SETS 8192       // of counts: 65 536 clients and rules at a time, 1.5 MiB
#define OUTBOX_MAX 4096 // bans that the keeper hasn't been told of; they hold all the same
#define TRY_AGAIN_MS 100

// How often somebody has done something, in this window of time and the one before. The first event
// begins a window, so that `times` within `in` after a pause are counted to the last one.
struct tally {
    uint64_t hash; // of client and rule; 0: free
    int64_t since_ns;
    uint32_t now, before;
};

struct letter {
    struct list_node node;
    struct gate_ban m;
};

struct bans {
    struct rt_loop *aux; // borrows
    int channel;         // borrows
    atomic_bool has_any; // bans; a look without the lock
    pthread_rwlock_t lock;
    struct ban_book book;
    pthread_mutex_t counting; // guards what follows
    struct tally (*tallies)[WAYS];
    struct list outbox; // struct letter
    size_t n_outbox;
    bool is_posted;
    struct rt_mail mail;
    struct rt_timer timer; // runs: the keeper didn't take any more
};

static void lock(struct bans *b)
{
    int failed = pthread_mutex_lock(&b->counting);
    ASSERT(failed == 0);
}

static void unlock(struct bans *b)
{
    int failed = pthread_mutex_unlock(&b->counting);
    ASSERT(failed == 0);
}

static void lock_book(struct bans *b, bool to_write)
{
    int failed = to_write ? pthread_rwlock_wrlock(&b->lock) : pthread_rwlock_rdlock(&b->lock);
    ASSERT(failed == 0);
}

static void unlock_book(struct bans *b)
{
    int failed = pthread_rwlock_unlock(&b->lock);
    ASSERT(failed == 0);
}

// --- telling the keeper ---

static void send_outbox(struct bans *b);

static void on_timer(struct rt_timer *t)
{
    send_outbox(CONTAINER_OF(t, struct bans, timer));
}

static void send_outbox(struct bans *b)
{
    enum io io = IO_DONE;
    lock(b);
    b->is_posted = false;
    LIST_FOR_SAFE (n, &b->outbox) {
        struct letter *l = CONTAINER_OF(n, struct letter, node);
        io = channel_try_send(b->channel, str_from((const char *)&l->m, sizeof l->m));
        if (io == IO_AGAIN)
            break;
        list_remove(&l->node);
        b->n_outbox--;
        mem_free(l);
    }
    unlock(b);
    if (io == IO_AGAIN)
        timer_start(&b->timer, clock_now_ms() + TRY_AGAIN_MS, on_timer);
}

static void on_mail(struct rt_mail *m)
{
    send_outbox(CONTAINER_OF(m, struct bans, mail));
}

static void tell_keeper(struct bans *b, const struct ban *ban)
{
    struct letter *l = MEM_NEW(struct letter);
    l->m = (struct gate_ban){.type = GATE_BAN, .ban = *ban};
    lock(b);
    if (b->n_outbox < OUTBOX_MAX) {
        list_push_back(&b->outbox, &l->node);
        b->n_outbox++;
        l = NULL;
    }
    if (!b->is_posted)
        loop_post(b->aux, &b->mail);
    b->is_posted = true;
    unlock(b);
    mem_free(l);
}

// --- the book ---

struct bans *bans_new(struct rt_loop *aux, int channel)
{
    struct bans *b = MEM_NEW(struct bans);
    b->aux = aux;
    b->channel = channel;
    b->mail.fn = on_mail;
    ban_book_init(&b->book, 1);
    list_init(&b->outbox);
    b->tallies = mem_alloc(SETS, sizeof *b->tallies);
    int failed = pthread_mutex_init(&b->counting, NULL) | pthread_rwlock_init(&b->lock, NULL);
    ASSERT(failed == 0);
    return b;
}

void bans_free(struct bans *b)
{
    if (!b)
        return;
    timer_stop(&b->timer);
    LIST_FOR_SAFE (n, &b->outbox) {
        list_remove(n);
        mem_free(CONTAINER_OF(n, struct letter, node));
    }
    ban_book_fini(&b->book);
    pthread_rwlock_destroy(&b->lock);
    pthread_mutex_destroy(&b->counting);
    mem_free(b->tallies);
    mem_free(b);
}

static void put(struct bans *b, const struct ban *ban)
{
    lock_book(b, true);
    ban_book_put(&b->book, ban);
    atomic_store_explicit(&b->has_any, true, memory_order_relaxed);
    unlock_book(b);
}

void bans_set_max(struct bans *b, size_t max)
{
    lock_book(b, true);
    ban_book_set_max(&b->book, max);
    unlock_book(b);
}

void bans_take(struct bans *b, const struct ban *ban)
{
    ASSERT(ban_is_sound(ban)); // the keeper says so
    put(b, ban);
}

void bans_lift(struct bans *b, const struct ip_net *net)
{
    lock_book(b, true);
    (void)ban_book_remove(&b->book, net);
    atomic_store_explicit(&b->has_any, b->book.n > 0, memory_order_relaxed);
    unlock_book(b);
}

void bans_take_all(struct bans *b, struct str bytes)
{
    struct ban ban;
    bans_set_max(b, MAX(bytes.len / sizeof ban, b->book.max));
    for (; bytes.len >= sizeof ban; bytes = str_skip(bytes, sizeof ban)) {
        memcpy(&ban, bytes.ptr, sizeof ban);
        bans_take(b, &ban);
    }
}

bool bans_refuse(struct bans *b, const struct ban_rules *rules, const struct ip *client,
                 struct ban *ret)
{
    if (!atomic_load_explicit(&b->has_any, memory_order_relaxed))
        return false;
    lock_book(b, false);
    const struct ban *ban = ban_book_holds(&b->book, client, clock_wall_s());
    if (ban && ret)
        *ret = *ban;
    unlock_book(b);
    return ban && !ip_set_contains(&rules->never, client);
}

// --- counting ---

static struct tally *find_tally(struct bans *b, uint64_t hash)
{
    struct tally *set = b->tallies[hash & (SETS - 1)], *oldest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].hash == hash)
            return &set[i];
        if (set[i].since_ns < oldest->since_ns)
            oldest = &set[i];
    }
    *oldest = (struct tally){.hash = hash};
    return oldest;
}

static uint64_t hash_of(const struct ip_net *net, const struct ban_rule *rule)
{
    uint64_t parts[2] = {hash_str(str_from((const char *)net, sizeof *net)), hash_str(rule->name)};
    uint64_t hash = hash_str(str_from((const char *)parts, sizeof parts));
    return hash == 0 ? 1 : hash;
}

// One more event. True: it is too much, and counting begins anew.
static bool add_up(struct tally *t, const struct ban_rule *rule, int64_t now_ns)
{
    int64_t age_ns = now_ns - t->since_ns;
    if (t->now == 0 || age_ns >= 2 * rule->in_ns) {
        t->before = t->now = 0;
        t->since_ns = now_ns;
    } else if (age_ns >= rule->in_ns) {
        t->before = t->now;
        t->now = 0;
        t->since_ns += rule->in_ns;
    }
    t->now++;
    double left = 1 - (double)(now_ns - t->since_ns) / (double)rule->in_ns;
    if (t->now + left * t->before < rule->times)
        return false;
    t->now = t->before = 0;
    return true;
}

static bool is_too_much(struct bans *b, const struct ban_rule *rule, const struct ip_net *net)
{
    uint64_t hash = hash_of(net, rule);
    lock(b);
    bool is = add_up(find_tally(b, hash), rule, clock_now_ns());
    unlock(b);
    return is;
}

// Twice as long as the last one of the same network, if that isn't forgotten.
static void ban_client(struct bans *b, const struct ban_rules *rules, const struct ban_rule *rule,
                       const struct ip_net *net)
{
    struct ban ban = {.net = *net, .began_s = clock_wall_s(), .times = 1};
    lock_book(b, true);
    const struct ban *last = ban_book_find(&b->book, net);
    bool is_banned = last && last->until_s > ban.began_s; // by another worker, just now
    if (last && last->keep_s > ban.began_s)
        ban.times = MIN(last->times, UINT32_MAX - 1) + 1;
    unlock_book(b);
    if (is_banned)
        return;
    int64_t for_s = rule->for_s;
    for (uint32_t i = 1; i < ban.times && for_s < rule->at_most_s; i++)
        for_s *= 2;
    ban.until_s = ban.began_s + MIN(for_s, rule->at_most_s);
    ban.keep_s = ban.until_s + rules->remember_s;
    ban.by_bytes = (uint8_t)MIN(rule->name.len, sizeof ban.by);
    memcpy(ban.by, rule->name.ptr, ban.by_bytes);
    put(b, &ban);
    tell_keeper(b, &ban);
}

// Whether a connection is of a proxy: one whose fields are believed, or one that sends PROXY
// headers and asks for itself, as checks do. Where all may send such headers, that says nothing of
// anybody.
static bool is_of_proxy(const struct http_entry *entry, const struct ip *peer)
{
    for (size_t i = 0; i < entry->n_balancers; i++) {
        const struct ip_net *net = &entry->balancers[i];
        if (net->bits > 0 && ip_net_contains(net, peer))
            return true;
    }
    return forward_is_trusted(entry, peer);
}

// Whose deed it is: of one who never got so far as to say it, the connection's. A proxy isn't
// banned for those who come by it, since they all would be.
static const struct ip *culprit_of(const struct exchange *x)
{
    bool is_peer = x->client.family == 0 || ip_eq(&x->client, &x->peer);
    if (is_peer)
        return is_of_proxy(x->entry, &x->peer) ? NULL : &x->peer;
    return &x->client;
}

// NULL: of one who isn't counted.
static const struct ip *countable(struct bans *b, const struct ban_rules *rules,
                                  const struct ip *ip)
{
    bool is = ip && ip->family != 0 && !ip_set_contains(&rules->never, ip) &&
              !bans_refuse(b, rules, ip, NULL);
    return is ? ip : NULL;
}

// One more of what rule counts.
static void count(struct bans *b, const struct ban_rules *rules, const struct ban_rule *rule,
                  const struct ip *ip, const char *what)
{
    struct ip_net net = ban_net_of(ip, ip->family == 4 ? rules->v4_bits : rules->v6_bits);
    char text[46];
    if (!is_too_much(b, rule, &net))
        return;
    if (rule->is_dry)
        log_info("ban: " STR_FMT " would have been banned by rule " STR_FMT " (%s)",
                 STR_ARG(ip_text(ip, text)), STR_ARG(rule->name), what);
    else
        ban_client(b, rules, rule, &net);
}

void bans_note(struct bans *b, const struct ban_rules *rules, const struct exchange *x)
{
    const struct ip *ip = countable(b, rules, culprit_of(x));
    const char *what;
    for (size_t i = 0; ip && i < rules->n; i++) {
        if (ban_rule_counts(&rules->items[i], x, &what))
            count(b, rules, &rules->items[i], ip, what);
    }
}

void bans_note_offence(struct bans *b, const struct ban_rules *rules,
                       const struct http_entry *entry, const struct ip *peer,
                       enum http_offence offence)
{
    const struct ip *ip = countable(b, rules, is_of_proxy(entry, peer) ? NULL : peer);
    const char *what;
    for (size_t i = 0; ip && i < rules->n; i++) {
        if (ban_rule_counts_offence(&rules->items[i], offence, &what))
            count(b, rules, &rules->items[i], ip, what);
    }
}
