// SPDX-License-Identifier: Apache-2.0
#include "keeper/issue_plan.h"

#include "base/attr.h"
#include "certs/local_ca.h"

#define SPREAD_OUT_OF 1000u

static const int64_t backoffs_s[] = {60, 300, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 86400};

// 0 to 999, the same for an id in each process: so a restart doesn't choose anew.
static int64_t spread(struct str id)
{
    uint32_t h = 2166136261u; // FNV-1a: ids are the user's own
    for (size_t i = 0; i < id.len; i++)
        h = (h ^ (unsigned char)id.ptr[i]) * 16777619u;
    return (int64_t)(h % SPREAD_OUT_OF);
}

int64_t issue_backoff_s(int64_t n_failures, struct str id)
{
    int64_t last = (int64_t)ARRAY_LEN(backoffs_s) - 1;
    int64_t wait_s = backoffs_s[MIN(MAX(n_failures - 1, (int64_t)0), last)];
    return wait_s + wait_s * spread(id) / SPREAD_OUT_OF / 4;
}

int64_t issue_renewal_s(const struct certs_stored *stored)
{
    const struct tls_cert_info *leaf = &stored->cert.leaf;
    const struct certs_meta *meta = &stored->meta;
    if (meta->ari_start_s > 0 && meta->ari_end_s > meta->ari_start_s)
        return meta->ari_start_s +
               (meta->ari_end_s - meta->ari_start_s) * spread(stored->id) / SPREAD_OUT_OF;
    int64_t life_s = leaf->not_after_s - leaf->not_before_s;
    // Up to a thirtieth of its life earlier, so that certificates of one day part.
    return certs_renewal_s(leaf) - life_s / 30 * spread(stored->id) / SPREAD_OUT_OF;
}

static bool has_all_names(const struct issue_need *need, const struct tls_cert_info *leaf)
{
    for (size_t i = 0; i < need->n_names; i++) {
        if (!tls_cert_covers(leaf, need->names[i]))
            return false;
    }
    return true;
}

bool issue_is_from(const struct issue_source *source, const struct certs_meta *meta)
{
    return meta->directory.len > 0 ? str_eq(meta->directory, source->directory)
                                   : str_eq(meta->issuer, source->issuer);
}

size_t issue_signer(const struct issue_need *need, const struct certs_meta *meta)
{
    size_t n = 0;
    while (n < need->n_sources && !issue_is_from(&need->sources[n], meta))
        n++;
    return n;
}

bool issue_has_names(const struct issue_need *need, const struct certs_meta *tries)
{
    bool is_same = need->n_names == tries->n_names;
    for (size_t i = 0; is_same && i < need->n_names; i++)
        is_same = str_eq(need->names[i], tries->names[i]);
    return is_same;
}

int64_t issue_due_s(const struct issue_need *need, const struct certs_stored *stored, int64_t now_s,
                    const char **ret_why)
{
    bool is_there = stored && stored->cert.n_chain > 0;
    if (is_there && issue_signer(need, &stored->meta) < need->n_sources &&
        has_all_names(need, &stored->cert.leaf)) {
        *ret_why = "it is due for renewal";
        return issue_renewal_s(stored);
    }
    *ret_why = !is_there                                  ? "there is none yet"
               : !has_all_names(need, &stored->cert.leaf) ? "it lacks a name"
                                                          : "it is from another authority";
    return now_s;
}

int64_t issue_again_s(struct str id, const struct certs_meta *tries)
{
    if (tries->n_failures == 0)
        return 0;
    return MAX(tries->last_try_s + issue_backoff_s(tries->n_failures, id), tries->next_try_s);
}

size_t issue_turn(int64_t due_s, const int64_t *ready_s, size_t n, int64_t now_s, int64_t *ret_at_s)
{
    size_t earliest = 0;
    for (size_t i = 0; i < n; i++) {
        if (ready_s[i] <= MAX(due_s, now_s)) {
            *ret_at_s = due_s;
            return i;
        }
        earliest = ready_s[i] < ready_s[earliest] ? i : earliest;
    }
    *ret_at_s = ready_s[earliest];
    return earliest;
}
