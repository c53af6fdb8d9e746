// SPDX-License-Identifier: Apache-2.0
#include "keeper/beacon.h"

#include "base/attr.h"
#include "codec/base64.h"
#include "rt/sys.h"

#define BURNS_MS 120000

static void make_token(char ret[static BEACON_TOKEN_BYTES + 1])
{
    char random[32], encoded[(sizeof random + 2) / 3 * 4];
    sys_random(random, sizeof random);
    size_t n = base64_encode(str_from(random, sizeof random), true, encoded);
    ASSERT(n == BEACON_TOKEN_BYTES);
    *str_copy(ret, str_from(encoded, n)) = '\0';
}

static struct acme_challenge challenge_of(const struct beacon *b)
{
    return (struct acme_challenge){.kind = ACME_CHALLENGE_HTTP_01,
                                   .name = STR("this proxy"),
                                   .token = str_of(b->token),
                                   .key_authorization = str_of(b->body)};
}

void beacon_light(struct beacon *b, struct issue_proofs *proofs, int64_t now_s, int64_t now_ms)
{
    b->until_ms = now_ms + BURNS_MS;
    if (b->token[0])
        return;
    struct text why = {.ptr = NULL};
    make_token(b->token);
    make_token(b->body);
    const struct acme_challenge c = challenge_of(b);
    bool is_put = issue_proofs_put(proofs, &c, now_s, &why);
    ASSERT(is_put); // only those of TLS can fail
    text_fini(&why);
    b->version = issue_proofs_version(proofs);
}

void beacon_do_what_is_due(struct beacon *b, struct issue_proofs *proofs, int64_t now_ms,
                           int64_t *next_ms)
{
    if (!b->token[0])
        return;
    if (now_ms < b->until_ms) {
        *next_ms = MIN(*next_ms, b->until_ms);
        return;
    }
    const struct acme_challenge c = challenge_of(b);
    issue_proofs_drop(proofs, &c);
    *b = (struct beacon){.version = 0};
}
