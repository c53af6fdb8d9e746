// SPDX-License-Identifier: Apache-2.0
#include "tls/credential.h"

#include "unit/tls/made.h"

#define MEM_BYTES ((size_t)1 << 20)

struct fixture {
    struct made_ca ca;
    struct made_leaf leaf, other;
    struct arena mem;
    struct tls_credential got;
    const char *why;
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){.why = ""};
    arena_init(&f->mem, MEM_BYTES, NULL, 0);
    made_ca_begin(&f->ca);
    made_leaf_begin(&f->leaf, &f->ca, TLS_KEY_P256, STR("a.example"), 90);
    made_leaf_begin(&f->other, &f->ca, TLS_KEY_P256, STR("b.example"), 90);
}

static void end(struct fixture *f)
{
    made_leaf_end(&f->leaf);
    made_leaf_end(&f->other);
    made_ca_end(&f->ca);
    arena_wipe(&f->mem);
}

static enum err read_two(struct fixture *f, struct str a, struct str b)
{
    return tls_credential_read(a, b, MADE_NOW_S, &f->mem, &f->got, &f->why);
}

static struct str joined(struct fixture *f, struct str a, struct str b, struct str c)
{
    return arena_concat(&f->mem, a, b, c);
}

static void blocks_in_any_order_become_leaf_first(void)
{
    struct fixture f;
    struct text mid = {0}, root = {0};
    begin(&f);
    CHECK(tls_cert_put_pem(f.ca.mid, &mid) && tls_cert_put_pem(f.ca.root, &root));
    struct str leaf = text_str(&f.leaf.leaf_pem), key = text_str(&f.leaf.key_pem);
    struct str wanted = joined(&f, leaf, text_str(&mid), text_str(&root));
    struct str orders[] = {
        joined(&f, joined(&f, text_str(&root), key, text_str(&mid)), leaf, STR_NONE),
        joined(&f, joined(&f, text_str(&mid), leaf, leaf), text_str(&root), key),
        joined(&f, wanted, key, text_str(&f.other.leaf_pem)),
    };
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        CHECK_INT(read_two(&f, orders[i], STR_NONE), ERR_OK);
        CHECK_STR(f.got.chain_pem, wanted);
        CHECK_STR(f.got.key_pem, key);
        CHECK_INT(f.got.n_chain, 3);
        CHECK_INT(f.got.flaws, 0);
        CHECK_STR(f.got.leaf.names[0], STR("a.example"));
    }
    CHECK_INT(read_two(&f, wanted, key), ERR_OK);
    CHECK_INT(read_two(&f, joined(&f, wanted, key, STR_NONE), key), ERR_OK);
    text_fini(&mid);
    text_fini(&root);
    end(&f);
}

static void what_does_not_belong_together_is_refused(void)
{
    struct fixture f;
    begin(&f);
    struct str chain = text_str(&f.leaf.chain_pem), key = text_str(&f.leaf.key_pem);
    const struct {
        struct str pem, more;
        const char *why;
    } cases[] = {
        {chain, text_str(&f.other.key_pem),
         "its certificate and private key don't belong together"},
        {chain, STR_NONE, "it holds no private key"},
        {key, STR_NONE, "it holds no certificate"},
        {STR_NONE, STR_NONE, "it holds no certificate"},
        {joined(&f, chain, key, STR_NONE), text_str(&f.other.key_pem), "it holds two private keys"},
        {chain, str_first(key, key.len - 30), "a PEM block has no end"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK_INT(read_two(&f, cases[i].pem, cases[i].more), ERR_SYNTAX);
        CHECK_STR(str_of(f.why), str_of(cases[i].why));
    }
    end(&f);
}

static void flaws_are_told_and_harmless(void)
{
    struct fixture f;
    begin(&f);
    struct str chain = text_str(&f.leaf.chain_pem), key = text_str(&f.leaf.key_pem);
    CHECK_INT(read_two(&f, text_str(&f.leaf.leaf_pem), key), ERR_OK);
    CHECK_INT(f.got.flaws, TLS_FLAW_INCOMPLETE);
    CHECK_STR(str_of(tls_flaw_text(f.got.flaws)),
              STR("its chain lacks the intermediate certificate"));
    int64_t late = MADE_NOW_S + 90 * MADE_DAY_S, early = MADE_NOW_S - 2 * MADE_DAY_S;
    CHECK_INT(tls_credential_read(chain, key, late, &f.mem, &f.got, &f.why), ERR_OK);
    CHECK_INT(f.got.flaws, TLS_FLAW_EXPIRED);
    CHECK_INT(tls_credential_read(chain, key, early, &f.mem, &f.got, &f.why), ERR_OK);
    CHECK_INT(f.got.flaws, TLS_FLAW_NOT_YET);
    CHECK_STR(str_of(tls_flaw_text(0)), STR(""));
    end(&f);
}

static void of_two_certificates_with_one_key_the_longer_valid_counts(void)
{
    struct fixture f;
    struct str name = STR("new.example");
    struct tls_cert_wish wish = {.names = &name,
                                 .n_names = 1,
                                 .not_before_s = MADE_NOW_S,
                                 .not_after_s = MADE_NOW_S + 300 * MADE_DAY_S};
    struct text newer = {0};
    begin(&f);
    X509 *cert = tls_cert_make(&wish, f.leaf.key, f.ca.mid, f.ca.mid_key);
    CHECK(cert && tls_cert_put_pem(cert, &newer));
    struct str both = joined(&f, text_str(&f.leaf.chain_pem), text_str(&newer), STR_NONE);
    CHECK_INT(read_two(&f, both, text_str(&f.leaf.key_pem)), ERR_OK);
    CHECK_STR(f.got.leaf.names[0], name);
    CHECK_INT(f.got.n_chain, 2);
    text_fini(&newer);
    tls_cert_free(cert);
    end(&f);
}

static void what_is_made_is_what_is_read(void)
{
    struct fixture f;
    struct text mid = {0};
    begin(&f);
    CHECK(tls_cert_put_pem(f.ca.mid, &mid));
    CHECK(tls_credential_make(f.leaf.cert, f.leaf.key, text_str(&mid), 1, MADE_NOW_S, &f.mem,
                              &f.got));
    CHECK_STR(f.got.chain_pem, text_str(&f.leaf.chain_pem));
    CHECK_STR(f.got.key_pem, text_str(&f.leaf.key_pem));
    CHECK_STR(f.got.leaf.names[0], STR("a.example"));
    CHECK(f.got.n_chain == 2 && f.got.flaws == 0);
    text_fini(&mid);
    end(&f);
}

static void an_arena_without_room_is_an_error(void)
{
    struct fixture f;
    begin(&f);
    for (size_t limit = 0; limit < 16384; limit += 256) {
        struct arena small;
        arena_init(&small, limit, NULL, 0);
        enum err err = tls_credential_read(text_str(&f.leaf.chain_pem), text_str(&f.leaf.key_pem),
                                           MADE_NOW_S, &small, &f.got, &f.why);
        CHECK(err == ERR_OK ? f.got.key_pem.len > 0 : f.why[0] != '\0');
        arena_wipe(&small);
    }
    end(&f);
}

TEST_MAIN(TEST(blocks_in_any_order_become_leaf_first),
          TEST(what_does_not_belong_together_is_refused), TEST(flaws_are_told_and_harmless),
          TEST(of_two_certificates_with_one_key_the_longer_valid_counts),
          TEST(what_is_made_is_what_is_read), TEST(an_arena_without_room_is_an_error))
