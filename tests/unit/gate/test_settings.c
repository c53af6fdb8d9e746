// SPDX-License-Identifier: Apache-2.0
#include "gate/settings.h"

#include "unit/test.h"

static void every_row_of_every_table_is_sound(void)
{
    struct diags diags = {.n = 0};
    enum err err = conf_check_tables(&settings_section, &diags);
    for (size_t i = 0; i < diags.n; i++)
        printf("# %s\n", diags.items[i].text);
    CHECK_INT(err, ERR_OK);
    diags_fini(&diags);
}

static void workers_are_a_number_or_one_for_each_core(void)
{
    unsigned n = 0;
    CHECK_INT(workers_parse(&(struct conf_text){.text = STR("auto")}, 3, NULL, &n), ERR_OK);
    CHECK_INT(n, 3);
    CHECK_INT(workers_parse(&(struct conf_text){.text = STR("auto")}, 0, NULL, &n), ERR_OK);
    CHECK_INT(n, 1);
    CHECK_INT(workers_parse(&(struct conf_text){.text = STR("auto")}, 1000, NULL, &n), ERR_OK);
    CHECK_INT(n, 256);
    CHECK_INT(workers_parse(&(struct conf_text){.text = STR("7")}, 1, NULL, &n), ERR_OK);
    CHECK_INT(n, 7);
    CHECK_INT(workers_parse(&(struct conf_text){.text = STR("0")}, 1, NULL, &n), ERR_RANGE);
    CHECK_INT(workers_parse(&(struct conf_text){.text = STR("257")}, 1, NULL, &n), ERR_RANGE);
}

TEST_MAIN(TEST(every_row_of_every_table_is_sound), TEST(workers_are_a_number_or_one_for_each_core))
