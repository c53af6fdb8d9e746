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

bool issue_is_from(const struct issue_need *need, const struct certs_meta *meta)
{
    return meta->directory.len > 0 ? str_eq(meta->directory, need->directory)
                                   : str_eq(meta->issuer, need->issuer);
}

int64_t issue_due_s(const struct issue_need *need, const struct certs_stored *stored,
                    const struct certs_meta *tries, int64_t now_s, const char **ret_why)
{
    bool is_there = stored && stored->cert.n_chain > 0;
    int64_t due_s = now_s;
    if (!is_there) {
        *ret_why = "there is none yet";
    } else if (!issue_is_from(need, &stored->meta)) {
        *ret_why = "it is from another authority";
    } else if (!has_all_names(need, &stored->cert.leaf)) {
        *ret_why = "it lacks a name";
    } else {
        *ret_why = "it is due for renewal";
        due_s = issue_renewal_s(stored);
    }
    if (!tries || tries->n_failures == 0)
        return due_s;
    int64_t again_s = tries->last_try_s + issue_backoff_s(tries->n_failures, need->id);
    return MAX(due_s, MAX(again_s, tries->next_try_s));
}
