// SPDX-License-Identifier: Apache-2.0
#include "keeper/issue_proofs.h"

#include <errno.h>
#include <time.h>

#include "base/mem.h"
#include "gate/challenges.h"
#include "rt/file.h"
#include "tls/x509.h"

#define NS_PER_S 1000000000

struct proof {
    struct list_node node;
    enum acme_challenge_kind kind;
    char *name, *token, *answer; // own; the latter two of http-01
    struct text chain, key;      // of tls-alpn-01
};

void issue_proofs_init(struct issue_proofs *p, void (*wake)(void *arg), void *arg)
{
    pthread_condattr_t attr;
    *p = (struct issue_proofs){.wake = wake, .arg = arg};
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->changed, &attr);
    pthread_condattr_destroy(&attr);
    list_init(&p->items);
}

static void free_proof(struct proof *f)
{
    mem_free(f->name);
    mem_free(f->token);
    mem_free(f->answer);
    text_wipe(&f->chain);
    text_wipe(&f->key);
    mem_free(f);
}

void issue_proofs_fini(struct issue_proofs *p)
{
    LIST_FOR_SAFE (n, &p->items) {
        list_remove(n);
        free_proof(CONTAINER_OF(n, struct proof, node));
    }
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
}

static void count_change(struct issue_proofs *p)
{
    p->version++;
    pthread_mutex_unlock(&p->lock);
    p->wake(p->arg);
}

bool issue_proofs_put(struct issue_proofs *p, const struct acme_challenge *c, int64_t now_s,
                      struct text *why)
{
    struct proof *f = MEM_NEW(struct proof);
    f->kind = c->kind;
    f->name = mem_copy(c->name.ptr, c->name.len);
    f->token = mem_copy(c->token.ptr, c->token.len);
    f->answer = mem_copy(c->key_authorization.ptr, c->key_authorization.len);
    if (c->kind == ACME_CHALLENGE_TLS_ALPN_01 &&
        !tls_challenge_make(c->name, c->digest, now_s, &f->chain, &f->key)) {
        text_put(why, STR("no certificate for the proof can be made"));
        free_proof(f);
        return false;
    }
    pthread_mutex_lock(&p->lock);
    list_push_back(&p->items, &f->node);
    count_change(p);
    return true;
}

void issue_proofs_drop(struct issue_proofs *p, const struct acme_challenge *c)
{
    pthread_mutex_lock(&p->lock);
    LIST_FOR_SAFE (n, &p->items) {
        struct proof *f = CONTAINER_OF(n, struct proof, node);
        if (f->kind != c->kind || !str_eq(str_of(f->token), c->token) ||
            !str_eq(str_of(f->name), c->name))
            continue;
        list_remove(n);
        free_proof(f);
        break;
    }
    count_change(p);
}

bool issue_proofs_settle(struct issue_proofs *p, int64_t wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= NS_PER_S) {
        until.tv_sec++;
        until.tv_nsec -= NS_PER_S;
    }
    pthread_mutex_lock(&p->lock);
    uint64_t wanted = p->version;
    int failed = 0;
    while (p->in_place < wanted && !p->is_stopped && failed == 0)
        failed = pthread_cond_timedwait(&p->changed, &p->lock, &until);
    bool is_there = p->in_place >= wanted;
    pthread_mutex_unlock(&p->lock);
    return is_there;
}

void issue_proofs_stop(struct issue_proofs *p)
{
    pthread_mutex_lock(&p->lock);
    p->is_stopped = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

int issue_proofs_pack(struct issue_proofs *p, uint64_t *ret_version)
{
    struct text bytes = {.ptr = NULL};
    size_t n_tokens = 0, n_certs = 0, n = 0;
    pthread_mutex_lock(&p->lock);
    LIST_FOR (node, &p->items)
        n++;
    struct challenge_token *tokens = MEM_ARRAY(struct challenge_token, n + 1);
    struct tls_bundle_item *certs = MEM_ARRAY(struct tls_bundle_item, n + 1);
    struct str *names = MEM_ARRAY(struct str, n + 1);
    LIST_FOR (node, &p->items) {
        const struct proof *f = CONTAINER_OF(node, struct proof, node);
        if (f->kind == ACME_CHALLENGE_HTTP_01) {
            tokens[n_tokens++] = (struct challenge_token){.token = str_of(f->token),
                                                          .key_authorization = str_of(f->answer)};
            continue;
        }
        names[n_certs] = str_of(f->name);
        certs[n_certs] = (struct tls_bundle_item){.id = names[n_certs],
                                                  .names = &names[n_certs],
                                                  .n_names = 1,
                                                  .chain_pem = text_str(&f->chain),
                                                  .key_pem = text_str(&f->key)};
        n_certs++;
    }
    challenges_pack(tokens, n_tokens, certs, n_certs, &bytes);
    *ret_version = p->version;
    pthread_mutex_unlock(&p->lock);
    int fd = file_sealed("sallyport challenges", text_str(&bytes));
    int error = errno;
    text_wipe(&bytes);
    mem_free(tokens);
    mem_free(certs);
    mem_free(names);
    errno = error;
    return fd;
}

uint64_t issue_proofs_version(struct issue_proofs *p)
{
    pthread_mutex_lock(&p->lock);
    uint64_t version = p->version;
    pthread_mutex_unlock(&p->lock);
    return version;
}

void issue_proofs_are_in_place(struct issue_proofs *p, uint64_t version)
{
    pthread_mutex_lock(&p->lock);
    p->in_place = MAX(p->in_place, version);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

bool issue_proofs_are_seen(struct issue_proofs *p, uint64_t version)
{
    pthread_mutex_lock(&p->lock);
    bool are_seen = p->in_place >= version;
    pthread_mutex_unlock(&p->lock);
    return are_seen;
}
