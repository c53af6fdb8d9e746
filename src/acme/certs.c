// SPDX-License-Identifier: Apache-2.0
// Certificates that exist: revocation and renewal information.
#include "acme/client.h"
#include "acme/jose.h"
#include "base/ascii.h"

#define ARI_ID_MAX_BYTES 256u
#define ARI_RETRY_MIN_S 60
#define ARI_RETRY_DEFAULT_S 21600
#define ARI_RETRY_MAX_S 86400 // RFC 9773 4.3.2 allows to bound it

bool acme_reason_parse(struct str name, enum acme_reason *ret)
{
    static const struct {
        struct str name;
        enum acme_reason reason;
    } reasons[] = {
#define X(id, name_, code) {.name = STR_INIT(name_), .reason = ACME_REASON_##id},
        ACME_REASON_LIST(X)
#undef X
    };
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (str_eq(reasons[i].name, name)) {
            *ret = reasons[i].reason;
            return true;
        }
    }
    return false;
}

enum acme_result acme_revoke(struct acme *a, struct str cert_der, EVP_PKEY *cert_key,
                             enum acme_reason reason, struct arena *mem,
                             struct acme_problem *reterr)
{
    const struct acme_directory *d;
    struct acme_reply reply;
    struct text payload = {0};
    enum acme_result result = acme_directory(a, &d, mem, reterr);
    if (result != ACME_DONE)
        return result;
    if (d->revoke_cert.len == 0)
        return ACME_FAIL(reterr, mem, UNSUPPORTED, "the directory has no revokeCert");
    text_put(&payload, STR("{\"certificate\":\""));
    jose_put_base64url(&payload, cert_der);
    text_printf(&payload, "\",\"reason\":%d}", (int)reason);
    struct acme_post post = {.url = d->revoke_cert,
                             .payload = text_str(&payload),
                             .key = cert_key,
                             .sends_jwk = cert_key != NULL};
    result = acme_post(a, &post, &reply, mem, reterr);
    text_fini(&payload);
    if (result == ACME_DONE)
        acme_reply_fini(&reply);
    else if (reterr->kind == ACME_PROBLEM_ALREADY_REVOKED)
        return ACME_DONE;
    return result;
}

// base64url "." base64url: it becomes part of a path.
static bool is_ari_id(struct str id)
{
    size_t n_dots = 0;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        n_dots += c == '.';
        if (!ascii_is(c, ASCII_ALPHA | ASCII_DIGIT) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return n_dots == 1 && id.len <= ARI_ID_MAX_BYTES;
}

enum acme_result acme_renewal_info(struct acme *a, struct str ari_id, struct arena *mem,
                                   struct acme_renewal *ret, struct acme_problem *reterr)
{
    const struct acme_directory *d;
    struct acme_reply reply;
    struct acme_renewal renewal = {0};
    enum acme_result result = acme_directory(a, &d, mem, reterr);
    if (result != ACME_DONE)
        return result;
    if (d->renewal_info.len == 0)
        return ACME_FAIL(reterr, mem, UNSUPPORTED, "the directory has no renewalInfo");
    if (!is_ari_id(ari_id))
        return ACME_FAIL(reterr, mem, BAD_INPUT, "the certificate has no id for this");
    struct str slash = str_ends(d->renewal_info, STR("/")) ? STR_NONE : STR("/");
    struct str url = arena_concat(mem, d->renewal_info, slash, ari_id);
    result = acme_get(a, url, &reply, mem, reterr);
    if (result != ACME_DONE)
        return result;
    bool is_fine = acme_renewal_read(reply.doc, mem, &renewal);
    int64_t retry_s = reply.answer.fields.retry_after_s;
    acme_reply_fini(&reply);
    if (!is_fine)
        return ACME_FAIL(reterr, mem, BAD_ANSWER, "the renewal window makes no sense");
    retry_s = retry_s > 0 ? retry_s : ARI_RETRY_DEFAULT_S;
    renewal.retry_after_s = MAX(ARI_RETRY_MIN_S, MIN(retry_s, ARI_RETRY_MAX_S));
    *ret = renewal;
    return ACME_DONE;
}
