// SPDX-License-Identifier: Apache-2.0
#include "certs/cookie_key.h"

#include <errno.h>
#include <string.h>

#include "certs/disk.h"
#include "rt/sys.h"

#define FILE_NAME "cookie-key"

bool certs_cookie_key(int folder, uint8_t ret[static CERTS_COOKIE_KEY_BYTES], const char **ret_why)
{
    struct text bytes = {.ptr = NULL};
    uint8_t key[CERTS_COOKIE_KEY_BYTES];
    bool is_fine = disk_read(folder, FILE_NAME, CERTS_COOKIE_KEY_BYTES, &bytes);
    if (!is_fine) {
        *ret_why = errno == EFBIG ? "the file cookie-key isn't one" : strerrordesc_np(errno);
    } else if (bytes.len == 0) {
        sys_random(key, sizeof key);
        is_fine = disk_replace(folder, FILE_NAME, str_from((const char *)key, sizeof key));
        *ret_why = is_fine ? NULL : strerrordesc_np(errno);
    } else if (bytes.len == sizeof key) {
        memcpy(key, bytes.ptr, sizeof key);
    } else {
        is_fine = false;
        *ret_why = "the file cookie-key isn't one";
    }
    if (is_fine)
        memcpy(ret, key, sizeof key);
    explicit_bzero(key, sizeof key);
    if (bytes.ptr)
        explicit_bzero(bytes.ptr, bytes.len);
    text_fini(&bytes);
    return is_fine;
}
