// SPDX-License-Identifier: Apache-2.0
#include "gate/pins.h"

#include <string.h>

#include "rt/channel.h"
#include "unit/rt/rt_test.h"

#define SERVER STR("10.0.0.9:443")

struct rig {
    struct rt_loop *aux;
    int ends[2]; // the gate's, the keeper's
    struct petitions *petitions;
    struct pins *pins;
    uint8_t shown; // by the server: the first byte of its key
    enum err err;
    uint8_t got;
};

static void begin(struct rig *r)
{
    *r = (struct rig){.aux = test_loop(0)};
    if (!channel_pair(r->ends))
        abort();
    r->petitions = petitions_new(r->aux, r->ends[0]);
    r->pins = pins_new(r->petitions);
}

static void end(struct rig *r)
{
    pins_free(r->pins);
    petitions_free(r->petitions);
    loop_free(r->aux);
    close(r->ends[0]);
    close(r->ends[1]);
}

static void ask(void *arg)
{
    struct rig *r = arg;
    struct upstream_pinning p = pins_pinning(r->pins);
    uint8_t key[TLS_PIN_BYTES] = {r->shown}, ret[TLS_PIN_BYTES] = {0};
    const char *why = NULL;
    r->err = p.ask(p.arg, SERVER, key, deadline_in(SOON_MS), ret, &why);
    CHECK(r->err == ERR_OK || why);
    r->got = ret[0];
}

// A server shows a key; the keeper, if it is asked, says is_yes and known. Returns whether it was.
static bool show(struct rig *r, uint8_t shown, bool is_yes, uint8_t known)
{
    struct gate_petition m;
    size_t len;
    int fd;
    bool was_asked = false;
    r->shown = shown;
    fiber_start(ask, r);
    for (int i = 0; i < 1000 && test_n_fibers(r->aux) > 0; i++) {
        loop_turn(r->aux, 1);
        if (channel_receive(r->ends[1], &m, sizeof m, &len, &fd) != IO_DONE)
            continue;
        was_asked = true;
        CHECK_STR(str_from(m.name, m.name_bytes), SERVER);
        CHECK_INT(m.key[0], shown);
        struct gate_verdict verdict = {.seq = m.seq, .is_yes = is_yes, .key = {known}};
        if (is_yes)
            pins_know(r->pins, SERVER, verdict.key);
        petitions_answer(r->petitions, &verdict);
    }
    CHECK_INT(test_n_fibers(r->aux), 0);
    return was_asked;
}

static void the_keeper_is_asked_until_it_has_said_so(void)
{
    struct rig r;
    begin(&r);
    CHECK(show(&r, 1, true, 1) && r.err == ERR_OK && r.got == 1);
    CHECK(!show(&r, 1, true, 1) && r.err == ERR_OK && r.got == 1);
    CHECK(show(&r, 2, true, 1) && r.err == ERR_OK && r.got == 1); // the caller compares
    CHECK(!show(&r, 1, true, 1));
    end(&r);
}

static void what_is_forgotten_is_asked_for_anew(void)
{
    struct rig r;
    begin(&r);
    CHECK(show(&r, 1, true, 1));
    pins_forget(r.pins);
    CHECK(show(&r, 1, true, 2) && r.got == 2);
    CHECK(!show(&r, 2, true, 2) && r.got == 2);
    end(&r);
}

static void a_no_is_an_error_and_is_not_kept(void)
{
    struct rig r;
    begin(&r);
    CHECK(show(&r, 1, false, 0) && r.err == ERR_NOT_FOUND);
    CHECK(show(&r, 1, true, 1) && r.err == ERR_OK);
    end(&r);
}

TEST_MAIN(TEST(the_keeper_is_asked_until_it_has_said_so), TEST(what_is_forgotten_is_asked_for_anew),
          TEST(a_no_is_an_error_and_is_not_kept))
