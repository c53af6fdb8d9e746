// SPDX-License-Identifier: Apache-2.0
// Answers of name servers. Property: reading ends within the message, a name that was read can be
// written and is read back the same, and nothing passes for signed by a key that didn't sign it.
#include "acme/dns_tsig.h"
#include "base/assert.h"

static void check_name(const char *name)
{
    char buf[512], again[DNS_NAME_MAX_BYTES];
    struct writer w;
    size_t end;
    writer_init(&w, buf, sizeof buf);
    bool is_written = dns_put_name(&w, str_of(name));
    ASSERT(is_written && !w.overflowed);
    bool is_read = dns_message_name(writer_str(&w), 0, again, &end);
    ASSERT(is_read && end == w.len);
    ASSERT(strcmp(name, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = str_from((const char *)data, size);
    struct dns_message m;
    struct dns_record r;
    struct dns_tsig_key key = {.name = STR("k"), .secret = STR("secret")};
    struct dns_tsig_mac mac = {.len = 32};
    const char *why = NULL;
    unsigned error;
    size_t end;
    char name[DNS_NAME_MAX_BYTES];
    if (dns_message_open(bytes, &m)) {
        while (dns_message_next(&m, &r) == IO_DONE) {
            ASSERT(m.at <= size && r.data_at + r.data.len <= size);
            check_name(r.name);
            if (r.type == DNS_TYPE_TXT)
                (void)!dns_txt_is(r.data, STR("value"));
            if (r.type == DNS_TYPE_CNAME && dns_message_name(bytes, r.data_at, name, &end))
                check_name(name);
        }
    }
    bool is_signed = dns_tsig_verify(bytes, &key, &mac, 0, &why, &error);
    ASSERT(!is_signed && why);
    return 0;
}
