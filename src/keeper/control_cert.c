// SPDX-License-Identifier: Apache-2.0
#include "keeper/control_cert.h"

#include <string.h>

#include "codec/idna.h"
#include "codec/ip.h"
#include "keeper/keeper_priv.h"
#include "keeper/to_json.h"

#define MEM_BYTES ((size_t)256 << 10)
#define NAMES_MAX 100u // what authorities allow

// A request as it is read.
struct asked {
    struct keeper *k;
    const json_t *request;
    struct arena mem;
    struct str name; // in mem: as settings write names
    struct str id;   // in mem: of the certificate that is meant
};

static const char *member(const struct asked *a, const char *key)
{
    const char *text = json_string_value(json_object_get(a->request, key));
    return text ? text : "";
}

// Its end comes later, or it hasn't begun.
static json_t *begun(bool is_begun, const char *const *why)
{
    return is_begun ? NULL : report_failure(*why);
}

static json_t *do_renew(struct asked *a, uint64_t *ret_number)
{
    const struct issue_order o = {.id = a->id,
                                  .kind = ISSUE_ORDER,
                                  .force = json_is_true(json_object_get(a->request, "force"))};
    const char *why = NULL;
    return begun(secrets_ask(&a->k->secrets, &o, ret_number, &why), &why);
}

static json_t *do_revoke(struct asked *a, uint64_t *ret_number)
{
    struct issue_order o = {.id = a->id, .kind = ISSUE_REVOKE};
    const char *why = "there is no such reason; known: unspecified, key-compromise, "
                      "affiliation-changed, superseded, cessation-of-operation";
    const char *reason = member(a, "reason");
    bool is_fine = reason[0] == '\0' || acme_reason_parse(str_of(reason), &o.reason);
    return begun(is_fine && secrets_ask(&a->k->secrets, &o, ret_number, &why), &why);
}

static json_t *do_forget(struct asked *a, uint64_t *ret_number)
{
    const char *why = NULL;
    (void)ret_number;
    return secrets_forget(&a->k->secrets, a->id, &why) ? json_pack("{s:b}", "ok", 1)
                                                       : report_failure(why);
}

static json_t *do_show(struct asked *a, uint64_t *ret_number)
{
    (void)ret_number;
    json_t *list = secrets_show(&a->k->secrets, a->name, a->id);
    if (json_array_size(list) > 0)
        return json_pack("{s:b, s:o}", "ok", 1, "certificates", list);
    json_decref(list);
    return report_failure("there is no certificate for this name, and no settings want one");
}

// As settings write them: lower case, IDNA as ASCII, addresses in their usual form. False: it is
// none.
static bool read_name(const char *text, struct arena *mem, struct str *ret)
{
    char address[46];
    const char *why;
    struct ip ip;
    if (ip_parse(str_of(text), &ip) != ERR_OK)
        return text[0] && idna_to_ascii(str_of(text), mem, ret, &why) == ERR_OK;
    *ret = arena_dup(mem, ip_text(&ip, address));
    return ret->ptr != NULL;
}

static bool read_wishes(const struct asked *a, struct issue_extra *x, const char **ret_why)
{
    const char *key = member(a, "key"), *challenge = member(a, "challenge");
    x->issuer = str_of(member(a, "issuer"));
    x->key_kind = TLS_KEY_OTHER;
    *ret_why = "there is no such kind of key; known: p-256, p-384, rsa-2048, rsa-3072, rsa-4096";
    if (key[0] && !tls_key_kind_parse(str_of(key), &x->key_kind))
        return false;
    *ret_why = "there is no such challenge; known: http-01, tls-alpn-01, dns-01";
    x->challenge = acme_challenge_parse(str_of(challenge));
    return challenge[0] == '\0' || x->challenge != ACME_CHALLENGE_NONE;
}

static bool read_names(struct asked *a, const json_t *names, struct issue_extra *x,
                       const char **ret_why)
{
    struct str *copy = ARENA_ARRAY(&a->mem, struct str, NAMES_MAX);
    size_t i;
    json_t *name;
    *ret_why = "one certificate has a hundred names at most";
    if (!copy || json_array_size(names) > NAMES_MAX)
        return false;
    *ret_why = "that is no host's name, nor an IP address";
    json_array_foreach(names, i, name)
    {
        const char *text = json_string_value(name);
        if (!text || !read_name(text, &a->mem, &copy[x->n_names++]))
            return false;
    }
    x->names = copy;
    return x->n_names > 0;
}

// What settings want is ordered as they say, if it's due; other names as the request says.
static json_t *do_request(struct asked *a, uint64_t *ret_number)
{
    struct issue_extra x = {.n_names = 0};
    const char *why;
    const json_t *names = json_object_get(a->request, "names");
    if (!read_wishes(a, &x, &why) || !read_names(a, names, &x, &why))
        return report_failure(why);
    bool has_wishes = x.issuer.len > 0 || x.key_kind != TLS_KEY_OTHER || x.challenge;
    bool is_wanted = secrets_find(&a->k->secrets, x.names[0]).len > 0;
    if (is_wanted && has_wishes)
        return report_failure("the settings say how this certificate is made: change it there");
    if (is_wanted && x.n_names > 1)
        return report_failure("the settings want certificates of these names: ask for one of them "
                              "at a time");
    a->id = is_wanted ? secrets_find(&a->k->secrets, x.names[0]) : certs_id_of(x.names[0], &a->mem);
    if (!is_wanted) {
        x.id = a->id;
        return begun(secrets_ask_extra(&a->k->secrets, &x, ret_number, &why), &why);
    }
    const struct issue_order o = {.id = a->id, .kind = ISSUE_ORDER, .force = true};
    int64_t due_s;
    bool is_forced = json_is_true(json_object_get(a->request, "force"));
    if (!is_forced && secrets_is_done(&a->k->secrets, a->id, &due_s))
        return json_pack("{s:b, s:o}", "ok", 1, "not_due_before", to_json_time(due_s));
    return begun(secrets_ask(&a->k->secrets, &o, ret_number, &why), &why);
}

static const struct {
    const char *name;
    json_t *(*act)(struct asked *a, uint64_t *ret_number);
} actions[] = {
    {.name = "renew", .act = do_renew},     {.name = "revoke", .act = do_revoke},
    {.name = "forget", .act = do_forget},   {.name = "show", .act = do_show},
    {.name = "request", .act = do_request},
};

// By any name of a site, or by the certificate's id.
static void find_meant(struct asked *a)
{
    const char *text = member(a, "name");
    if (!read_name(text, &a->mem, &a->name))
        a->name = arena_dup(&a->mem, str_of(text));
    a->id = secrets_find(&a->k->secrets, a->name);
    if (a->id.len == 0)
        a->id = certs_id_of(a->name, &a->mem);
}

json_t *control_cert(struct keeper *k, const json_t *request, uint64_t *ret_number)
{
    struct asked a = {.k = k, .request = request};
    json_t *answer = report_failure("a certificate's name and an action are needed: request, "
                                    "renew, revoke, forget, show");
    const char *action = member(&a, "action");
    bool has_name = member(&a, "name")[0] || json_object_get(request, "names");
    arena_init(&a.mem, MEM_BYTES, NULL, 0);
    for (size_t i = 0; has_name && i < ARRAY_LEN(actions); i++) {
        if (strcmp(actions[i].name, action) != 0)
            continue;
        find_meant(&a);
        json_decref(answer);
        answer = actions[i].act(&a, ret_number);
    }
    arena_fini(&a.mem);
    return answer;
}

json_t *control_account(struct keeper *k, const json_t *request, uint64_t *ret_number)
{
    static const struct {
        const char *action;
        enum issue_kind kind;
    } kinds[] = {
        {.action = "show", .kind = ISSUE_ACCOUNT_SHOW},
        {.action = "roll-over", .kind = ISSUE_ACCOUNT_ROLL_OVER},
        {.action = "deactivate", .kind = ISSUE_ACCOUNT_DEACTIVATE},
    };
    const struct asked a = {.k = k, .request = request};
    const char *action = member(&a, "action"), *issuer = member(&a, "issuer"), *why = NULL;
    if (strcmp(action, "list") == 0)
        return json_pack("{s:b, s:o}", "ok", 1, "accounts", secrets_accounts(&k->secrets));
    for (size_t i = 0; issuer[0] && i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].action, action) == 0)
            return begun(
                secrets_ask_account(&k->secrets, kinds[i].kind, str_of(issuer), ret_number, &why),
                &why);
    }
    return report_failure("an issuer's name and an action are needed: show, roll-over, deactivate; "
                          "or the action list alone");
}
