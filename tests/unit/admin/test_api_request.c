// SPDX-License-Identifier: Apache-2.0
#include "admin/api_request.h"

#include <jansson.h>

#include "unit/test.h"

static struct arena mem;

static void paths_and_queries_say_what_is_asked_for(void)
{
    static const struct {
        const char *path, *query;
        enum err err;
        enum api_view view;
        const char *name, *search;
        uint64_t page, per_page;
    } cases[] = {
        {"/api/v1", "", ERR_OK, API_INDEX, "", "", 1, 100},
        {"/api/v1/", "", ERR_OK, API_INDEX, "", "", 1, 100},
        {"/api/v1/routes", "", ERR_OK, API_ROUTES, "", "", 1, 100},
        {"/api/v1/routes", "page=3&per_page=7&search=A+b", ERR_OK, API_ROUTES, "", "A b", 3, 7},
        {"/api/v1/routes/a.example%2F2", "", ERR_OK, API_ROUTES, "a.example/2", "", 1, 100},
        {"/api/v1/routes/a.example/2", "", ERR_OK, API_ROUTES, "a.example/2", "", 1, 100},
        {"/api/v1/errors", "id=ab%20c", ERR_OK, API_ERRORS, "ab c", "", 1, 100},
        {"/api/http/routers/a@docker", "", ERR_OK, API_TRAEFIK_HTTP_ROUTERS, "a@docker", "", 1,
         100},
        {"/api/rawdata", "x=y", ERR_OK, API_TRAEFIK_RAWDATA, "", "", 1, 100},
        {"/api/v1/sites", "per_page=1001", ERR_OK, API_SITES, "", "", 1, API_PAGE_MAX},
        {"/api/v1/sites", "page=&search=&per_page", ERR_OK, API_SITES, "", "", 1, 100},
        {"/api/v1/sites", "page=0", ERR_RANGE, 0, "", "", 0, 0},
        {"/api/v1/sites", "page=-1", ERR_RANGE, 0, "", "", 0, 0},
        {"/api/v1/sites", "per_page=x", ERR_RANGE, 0, "", "", 0, 0},
        {"/api/v1/sites", "page=1000000001", ERR_RANGE, 0, "", "", 0, 0},
        {"/api/v1/status/x", "", ERR_NOT_FOUND, 0, "", "", 0, 0},
        {"/api/v1/routesx", "", ERR_NOT_FOUND, 0, "", "", 0, 0},
        {"/api/v1/route", "", ERR_NOT_FOUND, 0, "", "", 0, 0},
        {"/api", "", ERR_NOT_FOUND, 0, "", "", 0, 0},
        {"/", "", ERR_NOT_FOUND, 0, "", "", 0, 0},
        {"", "", ERR_NOT_FOUND, 0, "", "", 0, 0},
        {"/ping", "", ERR_OK, API_PING, "", "", 1, 100},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct api_request r;
        enum err err = api_request_parse(str_of(cases[i].path), str_of(cases[i].query), &mem, &r);
        CHECK_INT(err, cases[i].err);
        if (err != ERR_OK)
            continue;
        CHECK_INT(r.view, cases[i].view);
        CHECK_STR(r.name, str_of(cases[i].name));
        CHECK_STR(r.search, str_of(cases[i].search));
        CHECK_INT(r.page, cases[i].page);
        CHECK_INT(r.per_page, cases[i].per_page);
    }
}

static void traefiks_names_of_parameters_mean_the_same(void)
{
    struct api_request a, b;
    CHECK_INT(api_request_parse(STR("/api/http/routers"),
                                STR("serviceName=s&middlewareName=m&status=enabled"), &mem, &a),
              ERR_OK);
    CHECK_INT(api_request_parse(STR("/api/v1/routes"), STR("service=s&filter=m"), &mem, &b),
              ERR_OK);
    CHECK_STR(a.service, b.service);
    CHECK_STR(a.filter, b.filter);
    CHECK_STR(a.status, STR("enabled"));
}

static void too_long_targets_ask_for_nothing(void)
{
    static char path[API_TARGET_MAX_BYTES + 1] = "/api/v1/routes/";
    struct api_request r;
    memset(path + strlen(path), 'a', sizeof path - strlen("/api/v1/routes/"));
    CHECK_INT(api_request_parse(str_from(path, sizeof path), STR_NONE, &mem, &r), ERR_NOT_FOUND);
    CHECK_INT(api_request_parse(str_from(path, sizeof path - 1), STR_NONE, &mem, &r), ERR_OK);
}

static void pages_cover_everything_once(void)
{
    static const struct {
        uint64_t n, page, per_page;
        bool is_there;
        uint64_t first, n_items, next;
    } cases[] = {
        {0, 1, 10, true, 0, 0, 1},   {0, 2, 10, false, 0, 0, 0},
        {10, 1, 10, true, 0, 10, 1}, {11, 1, 10, true, 0, 10, 2},
        {11, 2, 10, true, 10, 1, 1}, {11, 3, 10, false, 0, 0, 0},
        {5, 5, 1, true, 4, 1, 1},    {5, 1000000000, 1000, false, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct api_request r = {.page = cases[i].page, .per_page = cases[i].per_page};
        uint64_t first, n, next;
        bool is_there = api_request_page(&r, cases[i].n, &first, &n, &next);
        CHECK_INT(is_there, cases[i].is_there);
        if (!is_there)
            continue;
        CHECK_INT(first, cases[i].first);
        CHECK_INT(n, cases[i].n_items);
        CHECK_INT(next, cases[i].next);
    }
}

static void searches_find_parts_of_texts_in_any_case(void)
{
    const struct str texts[] = {STR("app"), STR("Host(`Shop.example`)")};
    static const struct {
        const char *search;
        bool is_found;
    } cases[] = {{"", true}, {"PP", true}, {"shop.EX", true}, {"shop.ey", false}, {"appH", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct api_request r = {.search = str_of(cases[i].search)};
        CHECK_INT(api_request_finds(&r, texts, ARRAY_LEN(texts)), cases[i].is_found);
    }
}

static void the_index_has_every_path(void)
{
    struct text t = {.ptr = NULL}, table = {.ptr = NULL};
    api_put_index(&t);
    api_print_views(&table);
    json_t *list = json_loadb(t.ptr, t.len, JSON_REJECT_DUPLICATES, NULL);
    size_t i;
    json_t *item;
    CHECK(json_array_size(list) > 10);
    json_array_foreach(list, i, item)
    {
        struct str path = str_of(json_string_value(json_object_get(item, "path")));
        struct api_request r;
        CHECK_INT(api_request_parse(path, STR_NONE, &mem, &r), ERR_OK);
        CHECK_STR(api_view_path(r.view), path);
        CHECK_INT(api_view_kind(r.view) == API_LIST, json_is_true(json_object_get(item, "list")));
        CHECK(str_search(text_str(&table), path) != STR_NPOS);
    }
    json_decref(list);
    text_fini(&t);
    text_fini(&table);
}

int main(int argc, char **argv)
{
    static const struct test_case all[] = {
        TEST(paths_and_queries_say_what_is_asked_for),
        TEST(traefiks_names_of_parameters_mean_the_same),
        TEST(too_long_targets_ask_for_nothing),
        TEST(pages_cover_everything_once),
        TEST(searches_find_parts_of_texts_in_any_case),
        TEST(the_index_has_every_path),
    };
    arena_init(&mem, 1 << 20, NULL, 0);
    int result = test_main(argc, argv, all, ARRAY_LEN(all));
    arena_fini(&mem);
    return result;
}
