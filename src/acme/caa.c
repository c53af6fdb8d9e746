// SPDX-License-Identifier: Apache-2.0
#include "acme/caa.h"

#include "base/ascii.h"

#define FLAG_CRITICAL 0x80u

const char *caa_verdict_text(enum caa_verdict verdict)
{
    static const char *const texts[] = {
#define X(id, text) [CAA_##id] = text,
        CAA_VERDICT_LIST(X)
#undef X
    };
    return texts[verdict];
}

// RFC 8659 4.1: flags, the tag's length, tag, value.
bool caa_read(struct str data, struct caa_record *ret)
{
    if (data.len < 2)
        return false;
    size_t tag_bytes = (unsigned char)data.ptr[1];
    if (tag_bytes == 0 || tag_bytes > data.len - 2)
        return false;
    *ret = (struct caa_record){.is_critical = ((unsigned char)data.ptr[0] & FLAG_CRITICAL) != 0,
                               .tag = str_from(data.ptr + 2, tag_bytes),
                               .value = str_skip(data, 2 + tag_bytes)};
    for (size_t i = 0; i < tag_bytes; i++) {
        if (!ascii_is(ret->tag.ptr[i], ASCII_ALPHA | ASCII_DIGIT))
            return false;
    }
    return true;
}

// --- one record ---

static struct str trim(struct str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = str_skip(s, 1);
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static bool is_ours(struct str domain, const struct caa_question *q)
{
    for (size_t i = 0; i < q->n_domains; i++) {
        if (str_ieq(domain, q->domains[i]))
            return true;
    }
    return false;
}

// RFC 8657 4: a list with commas.
static bool has_method(struct str list, const struct caa_question *q)
{
    struct str one, rest = list;
    bool has_more = true;
    while (has_more) {
        has_more = str_cut(rest, ',', &one, &rest);
        enum acme_challenge_kind kind = acme_challenge_parse(trim(one));
        for (size_t i = 0; kind != ACME_CHALLENGE_NONE && i < q->n_challenges; i++) {
            if (q->challenges[i] == kind)
                return true;
        }
    }
    return false;
}

static enum caa_verdict look_at_parameters(struct str parameters, const struct caa_question *q)
{
    struct str one, tag, value;
    bool has_more = parameters.len > 0;
    while (has_more) {
        has_more = str_cut(parameters, ';', &one, &parameters);
        if (!str_cut(one, '=', &tag, &value))
            continue;
        tag = trim(tag);
        value = trim(value);
        if (str_ieq(tag, STR("accounturi")) && q->account_url.len > 0 &&
            !str_eq(value, q->account_url))
            return CAA_OTHER_ACCOUNT;
        if (str_ieq(tag, STR("validationmethods")) && !has_method(value, q))
            return CAA_OTHER_CHALLENGE;
    }
    return CAA_ALLOWED;
}

// RFC 8659 4.2: a domain, and perhaps parameters; without a domain nobody is meant.
static enum caa_verdict look_at_issue(struct str value, const struct caa_question *q)
{
    struct str domain, parameters;
    (void)str_cut(value, ';', &domain, &parameters);
    domain = trim(domain);
    if (domain.len == 0)
        return CAA_NOBODY;
    return is_ours(domain, q) ? look_at_parameters(parameters, q) : CAA_OTHERS;
}

// --- all of them ---

// From best to worst: which one to tell of.
static const enum caa_verdict order[] = {CAA_ALLOWED, CAA_OTHER_CHALLENGE, CAA_OTHER_ACCOUNT,
                                         CAA_OTHERS, CAA_NOBODY};

static size_t rank_of(enum caa_verdict verdict)
{
    size_t i = 0;
    while (i < ARRAY_LEN(order) - 1 && order[i] != verdict)
        i++;
    return i;
}

static bool is_known(struct str tag)
{
    static const struct str known[] = {STR_INIT("issue"),     STR_INIT("issuewild"),
                                       STR_INIT("iodef"),     STR_INIT("contactemail"),
                                       STR_INIT("issuemail"), STR_INIT("contactphone"),
                                       STR_INIT("issuevmc")};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (str_ieq(tag, known[i]))
            return true;
    }
    return false;
}

static bool has_tag(const struct caa_record *records, size_t n, struct str tag)
{
    for (size_t i = 0; i < n; i++) {
        if (str_ieq(records[i].tag, tag))
            return true;
    }
    return false;
}

enum caa_verdict caa_decide(const struct caa_record *records, size_t n,
                            const struct caa_question *q, struct str *ret_named)
{
    // RFC 8659 4.3: for wildcards, issuewild stands in the place of issue where there is one.
    bool is_wild = q->is_wildcard && has_tag(records, n, STR("issuewild"));
    struct str tag = is_wild ? STR("issuewild") : STR("issue");
    enum caa_verdict best = CAA_UNRESTRICTED;
    *ret_named = STR_NONE;
    for (size_t i = 0; i < n; i++) {
        const struct caa_record *r = &records[i];
        if (r->is_critical && !is_known(r->tag)) {
            *ret_named = r->tag;
            return CAA_CRITICAL;
        }
        if (!str_ieq(r->tag, tag))
            continue;
        enum caa_verdict verdict = look_at_issue(r->value, q);
        if (best != CAA_UNRESTRICTED && rank_of(verdict) >= rank_of(best))
            continue;
        best = verdict;
        *ret_named = r->value;
    }
    return best;
}
