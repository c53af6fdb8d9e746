// SPDX-License-Identifier: Apache-2.0
#include <openssl/evp.h>

#include "acme/client.h"
#include "acme/jose.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "codec/json.h"

#define CONTACTS_MAX 10u
#define EAB_KEY_MAX_BYTES 1024u

bool acme_account_key_fits(const EVP_PKEY *key)
{
    return jose_algorithm(key) != NULL;
}

static void put_contacts(struct text *to, const struct str *contacts, size_t n)
{
    text_put(to, STR("\"contact\":["));
    for (size_t i = 0; i < MIN(n, CONTACTS_MAX); i++) {
        struct text one = {0};
        if (!str_starts(contacts[i], STR("mailto:")))
            text_put(&one, STR("mailto:"));
        text_put(&one, contacts[i]);
        if (i > 0)
            text_byte(to, ',');
        json_text_str(to, text_str(&one));
        text_fini(&one);
    }
    text_byte(to, ']');
}

// RFC 8555 7.3.4: the account's public key, signed with the secret that the authority gave.
static bool put_binding(struct text *to, const struct acme_account_wish *wish, EVP_PKEY *key,
                        struct str url)
{
    char secret[EAB_KEY_MAX_BYTES];
    size_t n;
    struct text jwk = {0};
    struct jose_header header = {.kid = wish->eab_kid, .url = url};
    // Some authorities show it with padding or in the other alphabet; RFC 8555 says base64url.
    if (wish->eab_key.len == 0 || wish->eab_key.len / 4 * 3 + 3 > sizeof secret ||
        (base64_decode(wish->eab_key, true, secret, &n) != ERR_OK &&
         base64_decode(wish->eab_key, false, secret, &n) != ERR_OK))
        return false;
    text_put(to, STR(",\"externalAccountBinding\":"));
    bool is_fine =
        jose_put_jwk(key, &jwk) && jose_mac(str_from(secret, n), &header, text_str(&jwk), to);
    mem_wipe(secret, sizeof secret);
    text_fini(&jwk);
    return is_fine;
}

static enum acme_result read_account(struct acme_reply *reply, struct str url, struct arena *mem,
                                     struct acme_account *ret, struct acme_problem *reterr)
{
    struct acme_account account = {
        .url = arena_dup(mem, url),
        .is_new = reply->answer.status == 201,
    };
    bool is_fine = account.url.len > 0 && acme_account_read(reply->doc, mem, &account);
    acme_reply_fini(reply);
    if (!is_fine)
        return ACME_FAIL(reterr, mem, BAD_ANSWER, "the account makes no sense");
    if (account.status != ACME_STATUS_VALID)
        return ACME_FAIL(reterr, mem, ACCOUNT_DOES_NOT_EXIST,
                         "the account isn't valid any more: it was deactivated or revoked");
    *ret = account;
    return ACME_DONE;
}

enum acme_result acme_account_open(struct acme *a, EVP_PKEY *key,
                                   const struct acme_account_wish *wish, struct arena *mem,
                                   struct acme_account *ret, struct acme_problem *reterr)
{
    const struct acme_directory *d;
    struct acme_reply reply;
    struct text payload = {0};
    enum acme_result result = acme_directory(a, &d, mem, reterr);
    if (result != ACME_DONE)
        return result;
    if (!acme_account_key_fits(key))
        return ACME_FAIL(reterr, mem, BAD_SIGNATURE_ALGORITHM,
                         "the account's key is of a kind "
                         "that isn't used for this");
    if (d->needs_eab && wish->eab_kid.len == 0 && !wish->only_existing)
        return ACME_FAIL(reterr, mem, EXTERNAL_ACCOUNT_REQUIRED,
                         "the directory says that new accounts need an external account");
    text_byte(&payload, '{');
    put_contacts(&payload, wish->contacts, wish->n_contacts);
    text_printf(&payload, ",\"termsOfServiceAgreed\":%s", wish->agrees_terms ? "true" : "false");
    text_put(&payload, wish->only_existing ? STR(",\"onlyReturnExisting\":true") : STR_NONE);
    if (wish->eab_kid.len > 0 && !wish->only_existing &&
        !put_binding(&payload, wish, key, d->new_account)) {
        text_fini(&payload);
        return ACME_FAIL(reterr, mem, BAD_INPUT, "the external account's HMAC key isn't base64url");
    }
    text_byte(&payload, '}');
    struct acme_post post = {.url = d->new_account,
                             .payload = text_str(&payload),
                             .key = key,
                             .sends_jwk = true,
                             .want = ACME_WANT_JSON};
    result = acme_post(a, &post, &reply, mem, reterr);
    text_fini(&payload);
    if (result == ACME_DONE)
        result = read_account(&reply, reply.answer.fields.location, mem, ret, reterr);
    if (result == ACME_DONE)
        acme_account_use(a, key, ret->url);
    return result;
}

static enum acme_result post_account(struct acme *a, struct str payload, struct arena *mem,
                                     struct acme_account *ret, struct acme_problem *reterr)
{
    struct acme_reply reply;
    struct acme_post post = {.url = a->account_url, .payload = payload, .want = ACME_WANT_JSON};
    enum acme_result result = acme_post(a, &post, &reply, mem, reterr);
    return result == ACME_DONE ? read_account(&reply, a->account_url, mem, ret, reterr) : result;
}

enum acme_result acme_account_fetch(struct acme *a, struct arena *mem, struct acme_account *ret,
                                    struct acme_problem *reterr)
{
    return post_account(a, STR_NONE, mem, ret, reterr);
}

enum acme_result acme_account_set_contacts(struct acme *a, const struct str *contacts, size_t n,
                                           struct arena *mem, struct acme_account *ret,
                                           struct acme_problem *reterr)
{
    struct text payload = {0};
    text_byte(&payload, '{');
    put_contacts(&payload, contacts, n);
    text_byte(&payload, '}');
    enum acme_result result = post_account(a, text_str(&payload), mem, ret, reterr);
    text_fini(&payload);
    return result;
}

enum acme_result acme_account_change_key(struct acme *a, EVP_PKEY *key, struct arena *mem,
                                         struct acme_problem *reterr)
{
    const struct acme_directory *d;
    struct acme_reply reply;
    struct text change = {0}, inner = {0}, url = {0};
    enum acme_result result = acme_directory(a, &d, mem, reterr);
    if (result != ACME_DONE)
        return result;
    if (d->key_change.len == 0)
        return ACME_FAIL(reterr, mem, UNSUPPORTED, "the directory has no keyChange");
    if (!a->key || !acme_account_key_fits(key))
        return ACME_FAIL(reterr, mem, BAD_INPUT, "no account is in use, or the key doesn't fit");
    // RFC 8555 7.3.5: the new key signs that it takes the account over, the old one signs that.
    text_put(&change, STR("{\"account\":"));
    json_text_str(&change, a->account_url);
    text_put(&change, STR(",\"oldKey\":"));
    bool is_fine = jose_put_jwk(a->key, &change);
    text_byte(&change, '}');
    is_fine = is_fine && jose_sign(key, &(struct jose_header){.url = d->key_change},
                                   text_str(&change), &inner);
    struct acme_post post = {.url = d->key_change, .payload = text_str(&inner)};
    result = is_fine ? acme_post(a, &post, &reply, mem, reterr)
                     : ACME_FAIL(reterr, mem, LOCAL, "OpenSSL can't sign with this key");
    text_fini(&change);
    text_fini(&inner);
    if (result != ACME_DONE)
        return result;
    acme_reply_fini(&reply);
    text_put(&url, a->account_url);
    acme_account_use(a, key, text_str(&url));
    text_fini(&url);
    return ACME_DONE;
}

enum acme_result acme_account_deactivate(struct acme *a, struct arena *mem,
                                         struct acme_problem *reterr)
{
    struct acme_reply reply;
    struct acme_post post = {.url = a->account_url,
                             .payload = STR("{\"status\":\"deactivated\"}"),
                             .want = ACME_WANT_ANY};
    enum acme_result result = acme_post(a, &post, &reply, mem, reterr);
    if (result == ACME_DONE)
        acme_reply_fini(&reply);
    return result;
}
