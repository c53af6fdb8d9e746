// SPDX-License-Identifier: Apache-2.0
#include "discover/container.h"

#include "unit/test.h"

static void only_a_running_container_that_isnt_known_to_be_ill_is_ready(void)
{
    static const struct {
        enum container_state state;
        enum container_health health;
        bool is_ready;
    } cases[] = {
        {CONTAINER_RUNNING, CONTAINER_HEALTH_NONE, true},
        {CONTAINER_RUNNING, CONTAINER_HEALTH_HEALTHY, true},
        {CONTAINER_RUNNING, CONTAINER_HEALTH_STARTING, false},
        {CONTAINER_RUNNING, CONTAINER_HEALTH_UNHEALTHY, false},
        {CONTAINER_CREATED, CONTAINER_HEALTH_NONE, false},
        {CONTAINER_PAUSED, CONTAINER_HEALTH_HEALTHY, false},
        {CONTAINER_EXITED, CONTAINER_HEALTH_HEALTHY, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct container c = {.state = cases[i].state, .health = cases[i].health};
        CHECK_INT(container_is_ready(&c), cases[i].is_ready);
    }
}

static void a_label_is_found_in_any_case(void)
{
    struct container_label labels[] = {
        {STR_INIT("com.docker.compose.service"), STR_INIT("web")},
        {STR_INIT("Traefik.Enable"), STR_INIT("true")},
    };
    struct container c = {.labels = labels, .n_labels = 2};
    CHECK(container_label(&c, STR("traefik.enable")) == &labels[1]);
    CHECK(container_label(&c, STR("traefik.enabled")) == NULL);
}

static void states_have_the_names_that_engines_use(void)
{
    CHECK_STR(str_of(container_state_name(CONTAINER_EXITED)), STR("exited"));
    CHECK_STR(str_of(container_health_name(CONTAINER_HEALTH_UNHEALTHY)), STR("unhealthy"));
}

TEST_MAIN(TEST(only_a_running_container_that_isnt_known_to_be_ill_is_ready),
          TEST(a_label_is_found_in_any_case), TEST(states_have_the_names_that_engines_use))
