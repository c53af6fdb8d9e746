// SPDX-License-Identifier: Apache-2.0
#include "rt/dns_files.h"

#include <unistd.h>

#include "unit/test.h"

static void what_is_packed_is_unpacked(void)
{
    static const struct dns_files cases[] = {
        {.hosts = STR_INIT("")},
        {.hosts = STR_INIT("10.0.0.1 a\n")},
        {.resolv_conf = STR_INIT("nameserver 10.0.0.1\n"), .hosts = STR_INIT("10.0.0.1 a\n")},
        {.resolv_conf = STR_INIT("nameserver 10.0.0.1\n")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text packed = {.ptr = NULL};
        struct dns_files got;
        dns_files_pack(&cases[i], &packed);
        CHECK(dns_files_unpack(text_str(&packed), &got));
        CHECK_STR(got.resolv_conf, cases[i].resolv_conf);
        CHECK_STR(got.hosts, cases[i].hosts);
        // Damaged: shorter, longer, another form.
        for (size_t n = 0; n < packed.len; n++)
            CHECK(!dns_files_unpack(str_first(text_str(&packed), n), &got));
        text_byte(&packed, 'x');
        CHECK(!dns_files_unpack(text_str(&packed), &got));
        packed.ptr[0] ^= 1;
        CHECK(!dns_files_unpack(str_first(text_str(&packed), packed.len - 1), &got));
        text_fini(&packed);
    }
}

static void lengths_that_lie_are_refused(void)
{
    struct text packed = {.ptr = NULL};
    struct dns_files got;
    dns_files_pack(&(struct dns_files){.hosts = STR("10.0.0.1 a\n")}, &packed);
    memset(packed.ptr + 4, 0xff, 8);
    CHECK(!dns_files_unpack(text_str(&packed), &got));
    text_fini(&packed);
}

static void a_file_that_is_not_there_is_empty(void)
{
    char path[] = "/tmp/sallyport-test-XXXXXX";
    int fd = mkstemp(path);
    CHECK_INT(write(fd, "10.0.0.1 a\n", 11), 11);
    close(fd);
    struct arena mem;
    struct dns_files files;
    const char *why = NULL;
    arena_init(&mem, 8 << 20, NULL, 0);
    CHECK(dns_files_read("/nowhere/resolv.conf", path, &mem, &files, &why));
    CHECK_STR(files.hosts, STR("10.0.0.1 a\n"));
    CHECK_STR(files.resolv_conf, STR(""));
    unlink(path);
    CHECK(!dns_files_read("/tmp", "/nowhere/hosts", &mem, &files, &why)); // a folder
    CHECK(why != NULL);
    arena_fini(&mem);
}

TEST_MAIN(TEST(what_is_packed_is_unpacked), TEST(lengths_that_lie_are_refused),
          TEST(a_file_that_is_not_there_is_empty))
