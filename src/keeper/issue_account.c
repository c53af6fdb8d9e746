// SPDX-License-Identifier: Apache-2.0
#include "keeper/issue_account.h"

#include <time.h>

#include "base/text.h"
#include "rt/log.h"

// An account as it is on disk.
struct kept {
    struct certs_account_meta meta;
    struct str key_pem; // in mem
    EVP_PKEY *key;      // owns
};

static enum acme_result fail(const struct issue_account *a, const char *what, const char *why)
{
    acme_problem_set(a->problem, a->mem, ACME_PROBLEM_LOCAL, "%s: %s", what, why);
    return ACME_FAILED;
}

struct str issue_account_contacts(const struct issue_issuer *issuer, struct arena *mem)
{
    struct text all = {.ptr = NULL};
    for (size_t i = 0; i < issuer->n_contacts; i++) {
        text_put(&all, i > 0 ? STR(",") : STR_NONE);
        if (!str_starts(issuer->contacts[i], STR("mailto:")))
            text_put(&all, STR("mailto:"));
        text_put(&all, issuer->contacts[i]);
    }
    struct str joined = arena_dup(mem, text_str(&all));
    text_fini(&all);
    return joined;
}

static bool new_key(const struct issue_account *a, EVP_PKEY **ret, struct str *ret_pem)
{
    struct text pem = {.ptr = NULL};
    EVP_PKEY *key = tls_key_new(TLS_KEY_P256);
    bool is_fine = key && tls_key_put_pem(key, &pem);
    *ret_pem = arena_dup(a->mem, text_str(&pem));
    *ret = key;
    text_wipe(&pem);
    return is_fine && ret_pem->len > 0;
}

static enum acme_result keep(const struct issue_account *a, const struct kept *k)
{
    const char *why = NULL;
    if (certs_account_put(a->store, a->issuer->name, k->key_pem, &k->meta, &why) == ERR_OK)
        return ACME_DONE;
    return fail(a, "the account can't be kept", why);
}

// Makes the account of a key, or finds it.
static enum acme_result open_account(const struct issue_account *a, struct kept *k)
{
    const struct issue_issuer *issuer = a->issuer;
    struct acme_account account;
    const struct acme_account_wish wish = {.contacts = issuer->contacts,
                                           .n_contacts = issuer->n_contacts,
                                           .agrees_terms = true,
                                           .eab_kid = issuer->eab_kid,
                                           .eab_key = issuer->eab_key};
    // The key first: an account whose key is lost would be made again and again.
    k->meta = (struct certs_account_meta){.directory = issuer->directory,
                                          .created_s = (int64_t)time(NULL)};
    enum acme_result result = keep(a, k);
    if (result == ACME_DONE)
        result = acme_account_open(a->acme, k->key, &wish, a->mem, &account, a->problem);
    if (result != ACME_DONE)
        return result;
    k->meta.url = account.url;
    if (account.is_new) // one that was found may have others
        k->meta.contact = issue_account_contacts(issuer, a->mem);
    else if (account.n_contacts > 0)
        k->meta.contact = account.contacts[0];
    if (keep(a, k) != ACME_DONE)
        log_error("the account at " STR_FMT " can't be kept", STR_ARG(issuer->name));
    log_info("%s account at " STR_FMT " (" STR_FMT ")", account.is_new ? "new" : "found the",
             STR_ARG(issuer->name), STR_ARG(account.url));
    return result;
}

// A change of the key was cut off: which of the two keys is the account's, only the authority
// knows.
static enum acme_result settle_key(const struct issue_account *a, struct kept *k)
{
    struct kept next = {.meta = k->meta};
    struct acme_account account;
    const char *why = NULL;
    enum err err = certs_account_get_next(a->store, a->issuer->name, a->mem, &next.key_pem, &why);
    if (err == ERR_NOT_FOUND)
        return ACME_DONE;
    if (err != ERR_OK)
        return fail(a, "the account's next key can't be read", why);
    next.key = tls_key_read(next.key_pem, &why);
    if (!next.key) // half a file isn't possible, so it is somebody's own work
        return fail(a, "the account's next key can't be read", why);
    const struct acme_account_wish wish = {.only_existing = true};
    enum acme_result result =
        acme_account_open(a->acme, next.key, &wish, a->mem, &account, a->problem);
    if (result == ACME_DONE) {
        tls_key_free(k->key);
        *k = next;
        return keep(a, k);
    }
    tls_key_free(next.key);
    if (result != ACME_FAILED || a->problem->kind != ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST)
        return result;
    return keep(a, k); // without the next one
}

// ERR_NOT_FOUND: none of this authority.
static enum err read_kept(const struct issue_account *a, struct kept *ret, const char **ret_why)
{
    enum err err =
        certs_account_get(a->store, a->issuer->name, a->mem, &ret->key_pem, &ret->meta, ret_why);
    if (err == ERR_SYSTEM)
        return err;
    if (err != ERR_OK || !str_eq(ret->meta.directory, a->issuer->directory) ||
        (ret->key = tls_key_read(ret->key_pem, ret_why)) == NULL)
        return ERR_NOT_FOUND;
    if (acme_account_key_fits(ret->key))
        return ERR_OK;
    tls_key_free(ret->key);
    ret->key = NULL;
    return ERR_NOT_FOUND;
}

enum acme_result issue_account_use(const struct issue_account *a, bool is_again)
{
    struct kept k = {.key = NULL};
    const char *why = NULL;
    enum acme_result result = ACME_DONE;
    pthread_mutex_lock(a->lock);
    enum err err = read_kept(a, &k, &why);
    if (err == ERR_OK)
        result = settle_key(a, &k);
    if (err == ERR_SYSTEM) // it may well be there: another one isn't put in its place
        result = fail(a, "the account can't be read", why);
    else if (result == ACME_DONE && err == ERR_OK && k.meta.url.len > 0 && !is_again)
        acme_account_use(a->acme, k.key, k.meta.url);
    else if (result == ACME_DONE && (err == ERR_OK || new_key(a, &k.key, &k.key_pem)))
        result = open_account(a, &k);
    else if (result == ACME_DONE)
        result = fail(a, "no account", "no key can be made");
    pthread_mutex_unlock(a->lock);
    tls_key_free(k.key);
    return result;
}

// --- an account that is there ---

// Held until leave, whatever comes of it.
static enum acme_result enter(const struct issue_account *a, struct kept *ret)
{
    const char *why = NULL;
    *ret = (struct kept){.key = NULL};
    pthread_mutex_lock(a->lock);
    enum err err = read_kept(a, ret, &why);
    if (err == ERR_SYSTEM)
        return fail(a, "the account can't be read", why);
    if (err != ERR_OK || ret->meta.url.len == 0) {
        acme_problem_set(a->problem, a->mem, ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST,
                         "there is no account at " STR_FMT " yet; the first order makes one",
                         STR_ARG(a->issuer->name));
        return ACME_FAILED;
    }
    enum acme_result result = settle_key(a, ret);
    if (result == ACME_DONE)
        acme_account_use(a->acme, ret->key, ret->meta.url);
    return result;
}

static void leave(const struct issue_account *a, struct kept *k)
{
    pthread_mutex_unlock(a->lock);
    tls_key_free(k->key);
}

enum acme_result issue_account_fetch(const struct issue_account *a, struct acme_account *ret)
{
    struct kept k;
    enum acme_result result = enter(a, &k);
    if (result == ACME_DONE)
        result = acme_account_fetch(a->acme, a->mem, ret, a->problem);
    leave(a, &k);
    return result;
}

enum acme_result issue_account_set_contacts(const struct issue_account *a)
{
    struct kept k;
    struct acme_account account;
    enum acme_result result = enter(a, &k);
    if (result == ACME_DONE)
        result = acme_account_set_contacts(a->acme, a->issuer->contacts, a->issuer->n_contacts,
                                           a->mem, &account, a->problem);
    if (result == ACME_DONE) {
        k.meta.contact = issue_account_contacts(a->issuer, a->mem);
        result = keep(a, &k);
    }
    leave(a, &k);
    return result;
}

// The authority may have heard of the next key, or not: settle_key finds out.
static bool is_undecided(const struct issue_account *a, enum acme_result result)
{
    return result != ACME_DONE && (result == ACME_CANCELLED || a->problem->is_passing);
}

static enum acme_result change_key(const struct issue_account *a, struct kept *k)
{
    struct kept next = {.meta = k->meta};
    const char *why = NULL;
    if (!new_key(a, &next.key, &next.key_pem))
        return fail(a, "the key can't be changed", "no key can be made");
    enum acme_result result = ACME_DONE;
    if (certs_account_put_next(a->store, a->issuer->name, next.key_pem, &why) != ERR_OK)
        result = fail(a, "the next key can't be kept", why);
    else
        result = acme_account_change_key(a->acme, next.key, a->mem, a->problem);
    if (result == ACME_DONE)
        result = keep(a, &next);
    else if (!is_undecided(a, result) &&
             certs_account_put(a->store, a->issuer->name, k->key_pem, &k->meta, &why) != ERR_OK)
        log_warn("the key that wasn't taken by " STR_FMT " can't be removed: %s",
                 STR_ARG(a->issuer->name), why);
    tls_key_free(next.key);
    return result;
}

enum acme_result issue_account_roll_over(const struct issue_account *a)
{
    struct kept k;
    enum acme_result result = enter(a, &k);
    if (result == ACME_DONE)
        result = change_key(a, &k);
    leave(a, &k);
    return result;
}

enum acme_result issue_account_deactivate(const struct issue_account *a)
{
    struct kept k;
    const char *why = NULL;
    enum acme_result result = enter(a, &k);
    if (result == ACME_DONE)
        result = acme_account_deactivate(a->acme, a->mem, a->problem);
    if (result == ACME_DONE && certs_account_forget(a->store, a->issuer->name, &why) != ERR_OK)
        result = fail(a, "it is deactivated, but still in the state folder", why);
    leave(a, &k);
    return result;
}
