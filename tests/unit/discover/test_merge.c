// SPDX-License-Identifier: Apache-2.0
#include "discover/merge.h"

#include "base/attr.h"
#include "unit/test.h"

struct fixture {
    struct arena mem;
    struct diags diags;
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){.diags = {.n = 0}};
    arena_init(&f->mem, 1 << 20, NULL, 0);
}

static void end(struct fixture *f)
{
    diags_fini(&f->diags);
    arena_fini(&f->mem);
}

static struct conf_node *tree(struct fixture *f, const char *yaml)
{
    return conf_yaml_parse(str_of(yaml), "test", &f->mem, &f->diags);
}

static const struct conf_node *at(const struct conf_node *node, const char *path)
{
    struct str key, rest = str_of(path);
    while (node && rest.len > 0) {
        str_cut(rest, '.', &key, &rest);
        node = conf_node_get(node, key);
    }
    return node;
}

static void replicas_share_a_service_and_a_site(void)
{
    struct fixture f;
    begin(&f);
    struct conf_node *all = tree(&f, "{}");
    struct merge m;
    merge_init(&m, all);
    static const char *const each[] = {
        "{sites: {a: {to: s}}, services: {s: {servers: [{url: u1}], balance: first}}}",
        "{sites: {a: {to: s}}, services: {s: {servers: [{url: u2}], balance: first}}}",
        "{sites: {a: {to: s}}, services: {s: {servers: [{url: u2}]}}}", // one twice is one
        "{sites: {a: {routes: [{match: m, to: t}]}}, services: {t: {servers: []}}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(each); i++)
        CHECK_INT(merge_add(&m, tree(&f, each[i]), &f.diags), ERR_OK);
    CHECK_INT(at(all, "services.s.servers")->n, 2);
    CHECK_INT(at(all, "sites.a.routes")->n, 1);
    CHECK_STR(at(all, "sites.a.to")->text, STR("s"));
    merge_fini(&m);
    end(&f);
}

static void whoever_contradicts_isnt_taken_at_all(void)
{
    static const char *const others[] = {
        "{sites: {b: {to: t}, a: {to: t}}}",
        "{services: {s: {balance: random-two}}}",
        "{services: {s: on}}",
        "{services: {s: {servers: text}}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct fixture f;
        begin(&f);
        struct conf_node *all =
            tree(&f, "{sites: {a: {to: s}}, services: {s: {servers: [u], balance: first}}}");
        struct merge m;
        merge_init(&m, all);
        CHECK(merge_add(&m, tree(&f, others[i]), &f.diags) != ERR_OK);
        CHECK_INT(f.diags.n, 1);
        CHECK_INT(at(all, "sites")->n, 1);
        CHECK_STR(at(all, "services.s.balance")->text, STR("first"));
        merge_fini(&m);
        end(&f);
    }
}

static void contradictions_are_told_without_secrets(void)
{
    static const struct {
        const char *one, *other, *told;
    } cases[] = {
        {"filters: {f: {jwt: {secret: old-one}}}", "filters: {f: {jwt: {secret: new-one}}}",
         "'secret' is a secret here, and a secret of the same thing at test"},
        {"filters: {f: {headers: {request: {Authorization: 'Basic YTpi'}}}}",
         "filters: {f: {headers: {request: {Authorization: 'Basic YTpj'}}}}",
         "'Authorization' is a secret here, and a secret of the same thing at test"},
        {"services: {s: {balance: first}}", "services: {s: {balance: \"a\\nb\"}}",
         "'balance' is 'a\\x0ab' here, and 'first' of the same thing at test"},
        {"services: {s: {balance: first}}", "services: {s: {balance: [a]}}",
         "'balance' is a list or map here, and 'first' of the same thing at test"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        begin(&f);
        struct merge m;
        merge_init(&m, tree(&f, cases[i].one));
        CHECK_INT(merge_add(&m, tree(&f, cases[i].other), &f.diags), ERR_SYNTAX);
        CHECK_STR(str_of(f.diags.items[0].text), str_of(cases[i].told));
        merge_fini(&m);
        end(&f);
    }
}

static void names_mean_those_of_containers_first(void)
{
    struct fixture f;
    begin(&f);
    struct conf_node *all =
        tree(&f, "{sites: {a: {to: s, use: [f, g, 'f@file', x@other]}}, filters: {f@docker: {}}, "
                 "services: {s@docker: {}, u@docker: {split: [{service: s}, t]}}}");
    struct merge m;
    merge_init(&m, all);
    merge_qualify(&m, STR("@docker"), &f.mem);
    merge_fini(&m);
    CHECK_STR(at(all, "sites.a.to")->text, STR("s@docker"));
    const struct conf_node *use = at(all, "sites.a.use")->first;
    CHECK_STR(use->text, STR("f@docker"));
    CHECK_STR(use->next->text, STR("g"));
    CHECK_STR(use->next->next->text, STR("f"));
    CHECK_STR(use->next->next->next->text, STR("x@other"));
    CHECK_STR(at(all, "services.u@docker.split")->first->first->text, STR("s@docker"));
    end(&f);
}

static bool give_list(void *arg, struct str name, struct arena *mem, struct str *ret,
                      const char **ret_why)
{
    (void)arg, (void)mem;
    *ret = STR("10.0.0.0/8\n");
    *ret_why = "there is no such list";
    return str_eq(name, STR("private"));
}

static void only_the_file_speaks_of_the_machine(void)
{
    static const struct {
        const char *yaml;
        bool is_fine;
    } cases[] = {
        {"{filters: {f: {basic-auth: {users: ['u:$2y$05$x']}}}}", true},
        {"{filters: {f: {basic-auth: {users: 'file:/etc/shadow'}}}}", false},
        {"{filters: {f: {basic-auth: {users: 'env:SECRET'}}}}", false},
        {"{filters: {f: {allow: {addresses: [private]}}}}", true},
        {"{filters: {f: {allow: {addresses: ['file:/etc/shadow']}}}}", false},
        {"{services: {s: {servers: ['unix:/var/run/docker.sock']}}}", false},
        {"{services: {s: {servers: [{url: 'unix:@x'}]}}}", false},
        {"{services: {s: {tls: {ca: /etc/shadow}}}}", false},
        {"{sites: {a: {to: 'unix:/x'}}}", false},
        {"{sites: {a: {tls: {certificates: [/etc/ssl/private/]}}}}", false},
        {"{sites: {a: {to: api@internal}}}", false},
        {"{routes: [{match: m, to: metrics@internal}]}", false},
        {"{services: {s: {split: [{service: api@internal}]}}}", false},
        {"{routes: [{match: m, priority: 999999}]}", true},
        {"{routes: [{match: m, priority: 1000000}]}", false},
        {"{sites: {a: {routes: [{match: m, priority: 2000001}]}}}", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        begin(&f);
        const struct conf_resolver lists = {.read_list = give_list};
        bool is_fine =
            merge_check_foreign(tree(&f, cases[i].yaml), &lists, &f.mem, &f.diags) == ERR_OK;
        if (is_fine != cases[i].is_fine)
            printf("# %s\n", cases[i].yaml);
        CHECK_INT(is_fine, cases[i].is_fine);
        CHECK_INT(f.diags.n > 0, !cases[i].is_fine);
        end(&f);
    }
}

static void what_the_file_waits_for_is_there_and_closed(void)
{
    struct fixture f;
    begin(&f);
    struct conf_node *root =
        tree(&f, "{sites: {a: {to: 's@docker', use: ['f@docker', 'g']}, b: 't@docker'}, "
                 "services: {t@docker: {balance: first}}}");
    merge_add_missing(root, STR("@docker"), &f.mem);
    CHECK_STR(at(root, "services.s@docker.may-be-empty")->text, STR("yes"));
    CHECK_STR(at(root, "filters.f@docker.respond.status")->text, STR("503"));
    CHECK_INT(at(root, "filters")->n, 1);
    CHECK_INT(at(root, "services.t@docker")->n, 1);
    end(&f);
}

TEST_MAIN(TEST(replicas_share_a_service_and_a_site), TEST(whoever_contradicts_isnt_taken_at_all),
          TEST(contradictions_are_told_without_secrets), TEST(names_mean_those_of_containers_first),
          TEST(only_the_file_speaks_of_the_machine),
          TEST(what_the_file_waits_for_is_there_and_closed))
