// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_random.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include "base/assert.h"
#include "base/attr.h"
#include "tls/server.h"

#define STRENGTH_BITS 256
#define REQUEST_MAX_BYTES 65536

static uint64_t state;

static uint64_t next(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u); // splitmix64
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void sim_random_start(uint64_t seed)
{
    state = seed;
}

// --- the generator: one for all, without a state of its own ---

static void *new_generator(void *provider, void *parent, const OSSL_DISPATCH *parent_calls)
{
    (void)provider, (void)parent, (void)parent_calls;
    return &state;
}

static void free_generator(void *g)
{
    (void)g;
}

static int instantiate(void *g, unsigned strength, int resists, const unsigned char *text, size_t n,
                       const OSSL_PARAM params[])
{
    (void)g, (void)strength, (void)resists, (void)text, (void)n, (void)params;
    return 1;
}

static int uninstantiate(void *g)
{
    (void)g;
    return 1;
}

static int generate(void *g, unsigned char *out, size_t n, unsigned strength, int resists,
                    const unsigned char *text, size_t n_text)
{
    (void)g, (void)strength, (void)resists, (void)text, (void)n_text;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)(next() >> 56);
    return 1;
}

static int enable_locking(void *g)
{
    (void)g;
    return 1;
}

static int get_params(void *g, OSSL_PARAM params[])
{
    (void)g;
    OSSL_PARAM *p;
    return (!(p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STATE)) ||
            OSSL_PARAM_set_int(p, EVP_RAND_STATE_READY)) &&
           (!(p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STRENGTH)) ||
            OSSL_PARAM_set_uint(p, STRENGTH_BITS)) &&
           (!(p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_MAX_REQUEST)) ||
            OSSL_PARAM_set_size_t(p, REQUEST_MAX_BYTES));
}

static const OSSL_DISPATCH generator[] = {
    {OSSL_FUNC_RAND_NEWCTX, (void (*)(void))new_generator},
    {OSSL_FUNC_RAND_FREECTX, (void (*)(void))free_generator},
    {OSSL_FUNC_RAND_INSTANTIATE, (void (*)(void))instantiate},
    {OSSL_FUNC_RAND_UNINSTANTIATE, (void (*)(void))uninstantiate},
    {OSSL_FUNC_RAND_GENERATE, (void (*)(void))generate},
    {OSSL_FUNC_RAND_ENABLE_LOCKING, (void (*)(void))enable_locking},
    {OSSL_FUNC_RAND_GET_CTX_PARAMS, (void (*)(void))get_params},
    {0, NULL},
};

// --- the provider ---

static const OSSL_ALGORITHM *query(void *provider, int operation, int *ret_no_cache)
{
    static const OSSL_ALGORITHM algorithms[] = {
        {"SIM-RAND", "provider=sim", generator, "bytes of the world's seed"},
        {NULL, NULL, NULL, NULL},
    };
    (void)provider;
    *ret_no_cache = 0;
    return operation == OSSL_OP_RAND ? algorithms : NULL;
}

static int init_provider(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                         const OSSL_DISPATCH **ret, void **ret_provider)
{
    static const OSSL_DISPATCH calls[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
        {0, NULL},
    };
    (void)handle, (void)in;
    *ret = calls;
    *ret_provider = &state;
    return 1;
}

static OSSL_PROVIDER *defaults, *ours;

static bool load_providers(void)
{
    defaults = OSSL_PROVIDER_load(NULL, "default");
    ours = OSSL_PROVIDER_load(NULL, "sim");
    return defaults && ours;
}

void sim_random_init(void)
{
    tls_init();
    bool is_there = OSSL_PROVIDER_add_builtin(NULL, "sim", init_provider) == 1 &&
                    load_providers() &&
                    RAND_set_DRBG_type(NULL, "SIM-RAND", "provider=sim", NULL, NULL) == 1;
    unsigned char some[8], again[8];
    sim_random_start(1);
    is_there = is_there && RAND_bytes(some, sizeof some) == 1;
    sim_random_start(1);
    is_there = is_there && RAND_priv_bytes(again, sizeof again) == 1;
    if (!is_there || memcmp(some, again, sizeof some) != 0)
        panic("OpenSSL doesn't take its random bytes from here");
}

void sim_random_fini(void)
{
    OSSL_PROVIDER_unload(ours);
    OSSL_PROVIDER_unload(defaults);
}
