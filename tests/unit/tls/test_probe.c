// SPDX-License-Identifier: Apache-2.0
#include "tls/probe.h"

#include "server_rig.h"

#define NAME "a.example"

static struct rig_cert ca, cert;

struct seen {
    unsigned max_version;
    bool trusts, renegotiates;
    struct tls_probe_info info;
    bool is_connected, has_name, has_renegotiated;
    char version[16], cipher[64];
};

static void look(struct rig *r)
{
    struct seen *seen = r->arg;
    struct arena mem;
    struct tls_cert_info info;
    const char *why;
    const struct tls_probe_wish wish = {
        .name = STR(NAME),
        .max_version = seen->max_version,
        .authorities_pem = seen->trusts ? text_str(&ca.chain_pem) : STR_NONE,
    };
    struct tls_probe *p = tls_probe_open(r->client_fd, &wish, &why);
    seen->is_connected = p != NULL;
    if (!p)
        return;
    arena_init(&mem, 1 << 20, NULL, 0);
    tls_probe_info(p, &seen->info);
    snprintf(seen->version, sizeof seen->version, "%s", seen->info.version);
    snprintf(seen->cipher, sizeof seen->cipher, "%s", seen->info.cipher);
    seen->has_name = tls_probe_cert(p, &mem, &info) && tls_cert_covers(&info, STR(NAME));
    seen->has_renegotiated = seen->renegotiates && tls_probe_renegotiates(p);
    tls_probe_close(p);
    arena_fini(&mem);
}

// Reads to the end, so that what the client wants behind the handshake is heard.
static void hear(struct rig *r)
{
    char buf[100];
    size_t n;
    while (stream_read(&r->stream, buf, sizeof buf, deadline_in(SOON_MS), &n) == IO_DONE)
        continue;
}

static void run_with(struct seen *seen)
{
    struct str name = STR(NAME);
    struct tls_bundle_item item = rig_item(&cert, "c", &name);
    struct rig r = {
        .policy = rig_policy("{}", STR_NONE),
        .store = rig_store(&item, 1),
        .name = NAME,
        .server = hear,
        .client = look,
        .arg = seen,
    };
    rig_run(&r);
    tls_policy_free(r.policy);
    tls_store_unref(r.store);
}

static void what_was_agreed_is_told(void)
{
    static const struct {
        unsigned max_version;
        const char *version;
    } cases[] = {{0, "TLSv1.3"}, {0x0303, "TLSv1.2"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct seen seen = {.max_version = cases[i].max_version, .trusts = true};
        run_with(&seen);
        CHECK(seen.is_connected && seen.has_name);
        CHECK_STR(str_of(seen.version), str_of(cases[i].version));
        CHECK(str_starts(str_of(seen.cipher), STR("TLS_")));
        CHECK(str_istarts(str_of(seen.info.group),
                          STR("X25519"))); // X25519MLKEM768 where it is known
        CHECK(!seen.info.why && seen.info.is_in_order && !seen.info.weak_hash);
        CHECK(!seen.info.is_resumed && !seen.info.is_compressed && !seen.info.wants_ocsp);
        CHECK(seen.info.n_certs > 0);
    }
}

static void an_unknown_authority_is_told(void)
{
    struct seen seen = {.trusts = false};
    run_with(&seen);
    CHECK(seen.is_connected && seen.info.why);
}

static void our_server_does_not_renegotiate(void)
{
    struct seen seen = {.max_version = 0x0303, .renegotiates = true};
    run_with(&seen);
    CHECK(seen.is_connected && !seen.has_renegotiated);
}

static void versions_that_are_refused_are_no_connection(void)
{
    struct seen seen = {.max_version = 0x0302};
    run_with(&seen);
    CHECK(!seen.is_connected);
}

static void suites_have_names(void)
{
    CHECK_STR(str_of(tls_probe_suite_name(0x002f)), STR("TLS_RSA_WITH_AES_128_CBC_SHA"));
    CHECK(!tls_probe_suite_name(0xfafa));
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(what_was_agreed_is_told),
        TEST(an_unknown_authority_is_told),
        TEST(our_server_does_not_renegotiate),
        TEST(versions_that_are_refused_are_no_connection),
        TEST(suites_have_names),
    };
    tls_init();
    rig_cert_begin(&ca, TLS_CERT_ROOT, TLS_KEY_P256, "Test root", NULL);
    rig_cert_begin(&cert, TLS_CERT_LEAF, TLS_KEY_P256, NAME, &ca);
    int rc = test_main(argc, argv, cases, ARRAY_LEN(cases));
    rig_cert_end(&ca);
    rig_cert_end(&cert);
    return rc;
}
