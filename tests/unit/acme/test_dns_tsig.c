// SPDX-License-Identifier: Apache-2.0
#include "acme/dns_tsig.h"

#include "unit/test.h"

#define NOW_S 1700000000

static const unsigned question[DNS_SECTIONS] = {1, 0, 0, 0};
static const struct dns_tsig_key key = {
    .name = STR_INIT("k.example."), .secret = STR_INIT("0123456789"), .algorithm = DNS_TSIG_SHA512};

static struct str message(struct writer *w, char *buf, size_t n)
{
    writer_init(w, buf, n);
    dns_put_head(w, 7, DNS_FLAG_ANSWER, question);
    CHECK(dns_put_question(w, STR("example.com"), DNS_TYPE_SOA));
    return writer_str(w);
}

// dnspython, an implementation of its own, is the peer in tests/e2e/test_acme_dns.py.
static void a_signature_is_the_last_record(void)
{
    char buf[1024];
    struct writer w;
    struct dns_message m;
    struct dns_record r;
    struct dns_tsig_mac mac;
    message(&w, buf, sizeof buf);
    CHECK(dns_tsig_sign(&w, &key, NOW_S, &mac));
    CHECK_INT(mac.len, 64);
    CHECK(dns_message_open(writer_str(&w), &m));
    CHECK_INT(m.n[DNS_ADDITIONAL], 1);
    CHECK_INT(dns_message_next(&m, &r), IO_DONE);
    CHECK_INT(dns_message_next(&m, &r), IO_DONE);
    CHECK_INT(r.type, DNS_TYPE_TSIG);
    CHECK_STR(str_of(r.name), STR("k.example"));
    CHECK_INT(dns_message_next(&m, &r), IO_EOF);
}

static void an_answer_that_is_not_signed_for_the_request_is_refused(void)
{
    char buf[1024];
    struct writer w;
    struct dns_tsig_mac mac, request = {.len = 64};
    const char *why = NULL;
    unsigned error;
    struct str plain = message(&w, buf, sizeof buf);
    CHECK(!dns_tsig_verify(plain, &key, &request, NOW_S, &why, &error));
    CHECK_STR(str_of(why), STR("the answer isn't signed"));
    CHECK(dns_tsig_sign(&w, &key, NOW_S, &mac));
    CHECK(!dns_tsig_verify(writer_str(&w), &key, &request, NOW_S, &why, &error));
    CHECK_STR(str_of(why), STR("the answer's signature is wrong"));
    struct dns_tsig_key other = key;
    other.name = STR("other");
    CHECK(!dns_tsig_verify(writer_str(&w), &other, &request, NOW_S, &why, &error));
    CHECK_STR(str_of(why), STR("the answer is signed by another key"));
    for (size_t n = 0; n < w.len; n++)
        CHECK(!dns_tsig_verify(str_first(writer_str(&w), n), &key, &request, NOW_S, &why, &error));
}

static void a_message_without_room_is_not_signed(void)
{
    char buf[64];
    struct writer w;
    struct dns_tsig_mac mac;
    message(&w, buf, sizeof buf);
    CHECK(!dns_tsig_sign(&w, &key, NOW_S, &mac));
}

static void algorithms_have_the_names_of_the_wire(void)
{
    enum dns_tsig_algorithm algorithm;
    CHECK(dns_tsig_parse(STR("HMAC-SHA512"), &algorithm) && algorithm == DNS_TSIG_SHA512);
    CHECK(!dns_tsig_parse(STR("hmac-md5"), &algorithm));
}

TEST_MAIN(TEST(a_signature_is_the_last_record),
          TEST(an_answer_that_is_not_signed_for_the_request_is_refused),
          TEST(a_message_without_room_is_not_signed), TEST(algorithms_have_the_names_of_the_wire))
