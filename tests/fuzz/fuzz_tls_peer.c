// SPDX-License-Identifier: Apache-2.0
// What a client's certificate says to servers: whatever stands in it, each text is one line of
// printable ASCII, alternative names stay apart, and the certificate itself stays whole.
#include <stdlib.h>

#include "codec/base64.h"
#include "tls/peer.h"
#include "tls/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool cond)
{
    if (!cond)
        abort();
}

static void check_names(struct str names)
{
    struct str name;
    while (str_next_item(&names, ',', &name))
        check(str_starts(name, STR("DNS:")) || str_starts(name, STR("IP:")) ||
              str_starts(name, STR("email:")) || str_starts(name, STR("URI:")));
}

static void check_cert(struct str text, struct str der, struct arena *mem)
{
    char *decoded = ARENA_ARRAY(mem, char, text.len + 4);
    size_t n = 0;
    check(text.len > 2 && text.ptr[0] == ':' && text.ptr[text.len - 1] == ':');
    check(base64_decode(str_from(text.ptr + 1, text.len - 2), false, decoded, &n) == ERR_OK);
    check(str_eq(str_from(decoded, n), der));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *why = "";
    X509 *cert = n < 65536 ? tls_cert_read_der(str_from((const char *)data, n), &why) : NULL;
    if (!cert)
        return 0;
    struct tls_info info = {.peer_cert = cert};
    struct arena mem;
    arena_init(&mem, 8 << 20, NULL, 0);
    for (unsigned field = 0; field < TLS_PEER_FIELD_COUNT; field++) {
        struct str text;
        if (field == TLS_PEER_CHAIN) // a connection's
            continue;
        check(tls_peer_text(&info, (enum tls_peer_field)field, &mem, &text));
        for (size_t i = 0; i < text.len; i++)
            check(text.ptr[i] >= ' ' && text.ptr[i] < 0x7f);
        if (field == TLS_PEER_NAMES)
            check_names(text);
        if (field == TLS_PEER_CERT)
            check_cert(text, tls_cert_der(cert, &mem), &mem);
    }
    tls_cert_free(cert);
    arena_fini(&mem);
    return 0;
}
