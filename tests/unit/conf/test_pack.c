// SPDX-License-Identifier: Apache-2.0
#include "unit/conf/support.h"
#include "unit/conf/trees.h"

static const char yaml[] =
    "a: 1\nb: 'x'\nc: [1, ~, {d: e}]\nf:\ng: {h: {}, i: []}\nlong: |\n  text\n";

static void packed_and_unpacked_trees_are_equal(void)
{
    struct fixture f;
    fixture_init(&f);
    struct conf_node *root = fixture_parse(&f, yaml);
    root->first->content = STR("file's content");
    root->first->has_content = true;
    root->first->is_secret = true;
    root->last->place.source = "another source";
    struct text bytes = {.len = 0};
    conf_node_pack(root, &bytes);
    struct conf_node *twin = conf_node_unpack(text_str(&bytes), &f.mem);
    CHECK(twin && trees_are_equal(root, twin));
    text_fini(&bytes);
    fixture_fini(&f);
}

static void cut_and_longer_bytes_are_malformed(void)
{
    struct fixture f;
    fixture_init(&f);
    struct text bytes = {.len = 0};
    conf_node_pack(fixture_parse(&f, yaml), &bytes);
    for (size_t n = 0; n < bytes.len; n++) {
        char *exact = malloc(n + 1); // so that ASan sees the end
        memcpy(exact, bytes.ptr, n);
        CHECK(!conf_node_unpack(str_from(exact, n), &f.mem));
        free(exact);
    }
    text_byte(&bytes, 'x');
    CHECK(!conf_node_unpack(text_str(&bytes), &f.mem));
    text_fini(&bytes);
    fixture_fini(&f);
}

static void malformed_bytes_are_refused(void)
{
    static const struct str cases[] = {
        STR_INIT(""),
        STR_INIT("SPC2\0\0\0\0\0"),
        STR_INIT("SPC1"),
        STR_INIT("SPC1\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),       // number of sources
        STR_INIT("SPC1\1\1ax\0\0\0\0"),                                 // no NUL behind a source
        STR_INIT("SPC1\1\2a\0\0\0\0\0\0"),                              // a NUL inside of it
        STR_INIT("SPC1\0\0\1\0\0"),                                     // source that isn't there
        STR_INIT("SPC1\0\xe0\0\0\0"),                                   // unknown flags
        STR_INIT("SPC1\0\1\0\0\0\x7f"),                                 // text beyond the end
        STR_INIT("SPC1\0\2\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), // number of children
        STR_INIT("SPC1\0\0\0\0\xff\xff\xff\xff\xff\x7f"),               // column
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena mem;
        arena_init(&mem, 1 << 20, NULL, 0);
        CHECK(!conf_node_unpack(cases[i], &mem));
        arena_fini(&mem);
    }
}

static void depth_is_limited(void)
{
    for (size_t depth = CONF_DEPTH_MAX; depth <= CONF_DEPTH_MAX + 1; depth++) {
        struct arena mem;
        arena_init(&mem, 1 << 20, NULL, 0);
        struct text bytes = {.len = 0};
        text_put(&bytes, STR("SPC1\0"));
        for (size_t i = 1; i <= depth; i++) {
            text_put(&bytes, STR("\2\0\0\0"));
            text_byte(&bytes, i < depth);
        }
        CHECK((conf_node_unpack(text_str(&bytes), &mem) != NULL) == (depth == CONF_DEPTH_MAX));
        text_fini(&bytes);
        arena_fini(&mem);
    }
}

TEST_MAIN(TEST(packed_and_unpacked_trees_are_equal), TEST(cut_and_longer_bytes_are_malformed),
          TEST(malformed_bytes_are_refused), TEST(depth_is_limited))
