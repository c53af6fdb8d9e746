// SPDX-License-Identifier: Apache-2.0
#include "upstream/health.h"

#include <stdatomic.h>
#include <stdio.h>

#include "unit/test.h"

// Checks as letters, '+' good and '-' bad; beside each what it makes of the server: 'U' up, 'D'
// down.
struct course {
    uint32_t rise, fall;
    const char *checks, *states;
};

static void run(const struct course *c)
{
    struct health_record r = {.health = HEALTH_UNKNOWN};
    char states[64] = "";
    for (size_t i = 0; c->checks[i] != '\0'; i++) {
        enum health before = r.health;
        bool is_new = health_take(&r, c->checks[i] == '+', c->rise, c->fall);
        CHECK_INT(is_new, r.health != before);
        states[i] = r.health == HEALTH_UP ? 'U' : r.health == HEALTH_DOWN ? 'D' : '?';
    }
    CHECK_STR(str_of(states), str_of(c->states));
}

static void rows_of_checks_change_the_state_as_settings_say(void)
{
    static const struct course courses[] = {
        // the first decides alone
        {1, 3, "+", "U"},
        {1, 3, "-", "D"},
        {5, 3, "+--", "UUU"},
        // fall
        {1, 3, "+---", "UUUD"},
        {1, 3, "+--+--+---", "UUUUUUUUUD"},
        {1, 1, "+-", "UD"},
        // rise
        {1, 3, "-+", "DU"},
        {2, 3, "-+-+-++", "DDDDDDU"},
        {3, 1, "-+++-", "DDDUD"},
        // what came before a change counts no more
        {2, 2, "+--+-++--", "UUDDDDUUD"},
    };
    for (size_t i = 0; i < ARRAY_LEN(courses); i++)
        run(&courses[i]);
}

static void states_have_the_names_that_people_see(void)
{
    CHECK_STR(str_of(health_name(HEALTH_UNKNOWN)), STR("unchecked"));
    CHECK_STR(str_of(health_name(HEALTH_UP)), STR("up"));
    CHECK_STR(str_of(health_name(HEALTH_DOWN)), STR("down"));
}

static void a_slot_begins_as_settings_say(void)
{
    struct health_slot slot = {.record = {.health = HEALTH_DOWN, .n_against = 2}, .why = "x"};
    health_slot_reset(&slot, false);
    CHECK(!atomic_load(&slot.is_down));
    CHECK_INT(slot.record.health, HEALTH_UNKNOWN);
    CHECK_INT(slot.record.n_against, 0);
    CHECK_INT(slot.why[0], '\0');
    health_slot_reset(&slot, true);
    CHECK(atomic_load(&slot.is_down));
}

// --- plans ---

static struct health_conf conf = {
    .is_on = true,
    .path = {.text = STR_INIT("/x")},
    .method = {.text = STR_INIT("GET")},
    .every_ms = 1000,
    .timeout_ms = 1000,
    .rise = 1,
    .fall = 1,
};

static void what_is_not_possible_is_told(void)
{
    static const struct {
        enum health_kind kind;
        enum server_kind server;
        enum server_protocol protocol;
        enum server_http http;
        uint32_t port;
        const char *why; // NULL: it is
    } cases[] = {
        {HEALTH_AUTO, SERVER_IP, SERVER_HTTP, SERVER_HTTP_1, 0, NULL},
        {HEALTH_AUTO, SERVER_IP, SERVER_TCP, SERVER_HTTP_1, 99, NULL},
        {HEALTH_GRPC, SERVER_IP, SERVER_HTTP, SERVER_HTTP_2, 0, NULL},
        {HEALTH_GRPC, SERVER_IP, SERVER_HTTP, SERVER_HTTP_1, 0, "HTTP/2"},
        {HEALTH_HTTP, SERVER_IP, SERVER_TCP, SERVER_HTTP_AUTO, 0, "'tcp'"},
        {HEALTH_TLS, SERVER_IP, SERVER_HTTP, SERVER_HTTP_1, 0, "https://"},
        {HEALTH_TCP, SERVER_UNIX, SERVER_ANYTHING, SERVER_HTTP_1, 80, "no other port"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct diags diags = {.n = 0};
        struct health_conf c = conf;
        struct server_url url = {.kind = cases[i].server, .protocol = cases[i].protocol};
        c.kind = cases[i].kind;
        c.port = cases[i].port;
        struct health_plan *p = health_plan_new(
            &(struct health_plan_of){.conf = &c, .url = &url, .http = cases[i].http}, &diags);
        CHECK_INT(p == NULL, cases[i].why != NULL);
        CHECK_INT(diags.n, cases[i].why != NULL);
        if (cases[i].why && diags.n > 0)
            CHECK(str_search(str_of(diags.items[0].text), str_of(cases[i].why)) != STR_NPOS);
        health_plan_unref(p);
        diags_fini(&diags);
    }
}

static void a_plan_keeps_its_texts(void)
{
    char path[] = "/abc";
    struct diags diags = {.n = 0};
    struct health_conf c = conf;
    struct conf_text status[] = {{.text = STR("200")}, {.text = STR("300-303")}};
    c.path.text = str_of(path);
    c.status = (struct conf_texts){.items = status, .n = 2};
    struct server_url url = {.kind = SERVER_IP, .protocol = SERVER_HTTP};
    struct health_plan *p = health_plan_new(
        &(struct health_plan_of){.conf = &c, .url = &url, .http = SERVER_HTTP_1}, &diags);
    path[1] = 'X';
    CHECK_STR(p->conf.path.text, STR("/abc"));
    CHECK(health_plan_wants_status(p, 200));
    CHECK(!health_plan_wants_status(p, 201));
    CHECK(!health_plan_wants_status(p, 299));
    CHECK(health_plan_wants_status(p, 303));
    CHECK(!health_plan_wants_status(p, 304));
    health_plan_unref(p);
    diags_fini(&diags);
}

TEST_MAIN(TEST(rows_of_checks_change_the_state_as_settings_say),
          TEST(states_have_the_names_that_people_see), TEST(a_slot_begins_as_settings_say),
          TEST(what_is_not_possible_is_told), TEST(a_plan_keeps_its_texts))
