// SPDX-License-Identifier: Apache-2.0
#include "filter/auth_cache.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <pthread.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/writer.h"
#include "rt/sys.h"

#define SHARDS 16
#define SETS 64 // of a shard
#define WAYS 4  // of a set

struct entry {
    struct auth_tag tag;
    int64_t until_ms; // 0: free
};

struct shard {
    pthread_mutex_t lock;
    struct entry sets[SETS][WAYS];
};

static struct shard shards[SHARDS];
static uint8_t key[32];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_up(void)
{
    sys_random(key, sizeof key);
    for (size_t i = 0; i < SHARDS; i++)
        ASSERT(pthread_mutex_init(&shards[i].lock, NULL) == 0);
}

bool auth_tag_make(struct str user, struct str password, struct str hash, struct auth_tag *ret)
{
    pthread_once(&once, set_up);
    char buf[2048];
    struct writer w;
    writer_init(&w, buf, sizeof buf);
    // Lengths in front: no two different sets of credentials make the same text.
    writer_printf(&w, "%zu:%zu:%zu:", user.len, password.len, hash.len);
    writer_put(&w, user);
    writer_put(&w, password);
    writer_put(&w, hash);
    bool is_good = !w.overflowed && HMAC(EVP_sha256(), key, sizeof key, (const uint8_t *)buf, w.len,
                                         ret->bytes, NULL) != NULL;
    mem_wipe(buf, sizeof buf);
    return is_good;
}

bool auth_tag_of(const struct str *parts, size_t n, struct auth_tag *ret)
{
    uint8_t digests[AUTH_TAG_PARTS_MAX][SHA256_DIGEST_LENGTH];
    ASSERT(n <= AUTH_TAG_PARTS_MAX);
    pthread_once(&once, set_up);
    for (size_t i = 0; i < n; i++)
        SHA256((const uint8_t *)parts[i].ptr, parts[i].len, digests[i]);
    return HMAC(EVP_sha256(), key, sizeof key, digests[0], n * sizeof digests[0], ret->bytes,
                NULL) != NULL;
}

static struct shard *shard_of(const struct auth_tag *tag)
{
    return &shards[tag->bytes[0] % SHARDS];
}

static struct entry *set_of(struct shard *s, const struct auth_tag *tag)
{
    return s->sets[tag->bytes[1] % SETS];
}

static bool is_same(const struct entry *e, const struct auth_tag *tag)
{
    return CRYPTO_memcmp(e->tag.bytes, tag->bytes, sizeof tag->bytes) == 0;
}

bool auth_cache_has(const struct auth_tag *tag, int64_t now_ms)
{
    struct shard *s = shard_of(tag);
    struct entry *set = set_of(s, tag);
    bool has = false;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < WAYS && !has; i++) {
        has = set[i].until_ms > now_ms && is_same(&set[i], tag);
        if (has)
            set[i].until_ms = now_ms + AUTH_CACHE_KEEP_MS;
    }
    pthread_mutex_unlock(&s->lock);
    return has;
}

void auth_cache_put(const struct auth_tag *tag, int64_t now_ms)
{
    struct shard *s = shard_of(tag);
    struct entry *set = set_of(s, tag);
    pthread_mutex_lock(&s->lock);
    struct entry *oldest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (is_same(&set[i], tag)) {
            oldest = &set[i];
            break;
        }
        if (set[i].until_ms < oldest->until_ms)
            oldest = &set[i];
    }
    *oldest = (struct entry){.tag = *tag, .until_ms = now_ms + AUTH_CACHE_KEEP_MS};
    pthread_mutex_unlock(&s->lock);
}
