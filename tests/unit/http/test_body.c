// SPDX-License-Identifier: Apache-2.0
#include "http/body.h"

#include "unit/test.h"

static void bytes_are_lent_once(void)
{
    struct body_bytes b;
    struct str piece = STR_NONE;
    struct body *body = body_bytes_init(&b, STR("hello"));
    CHECK_INT(body->length, 5);
    CHECK_INT(body_read(body, &piece, BODY_NO_WAIT), IO_DONE);
    CHECK_STR(piece, STR("hello"));
    CHECK_INT(body_read(body, &piece, BODY_NO_WAIT), IO_EOF);
    CHECK_INT(body_read(body, &piece, BODY_NO_WAIT), IO_EOF);
    CHECK(body->trailers == NULL);
    body_fini(body);
}

static void no_bytes_are_an_end_at_once(void)
{
    struct body_bytes b;
    struct str piece;
    CHECK_INT(body_read(body_bytes_init(&b, STR_NONE), &piece, BODY_NO_WAIT), IO_EOF);
    body_fini(NULL);
}

TEST_MAIN(TEST(bytes_are_lent_once), TEST(no_bytes_are_an_end_at_once))
