// SPDX-License-Identifier: Apache-2.0
// return, rewrite and if: what answers by itself, or changes the path.
#include "base/num.h"
#include "dialect/nginx_priv.h"

// A text with variables as `to` of a redirect. False: it has one that nothing here stands for.
static bool expand(struct nginx_server *s, struct str text, struct str *ret)
{
    static const struct {
        const char *variable, *is;
    } known[] = {
        // The longer of two with the same beginning first.
        {"$request_uri", "{path}{query}"},
        {"$is_args$args", "{query}"},
        {"$is_args$query_string", "{query}"},
        {"?$args", "{query}"},
        {"?$query_string", "{query}"},
        {"$http_host", "{host}"},
        {"$host", "{host}"},
        {"$scheme", "{scheme}"},
        {"$uri", "{path}"},
        {"$document_uri", "{path}"},
        {"$server_port", "{port}"},
    };
    struct text to = {0};
    bool is_fine = true;
    while (is_fine && text.len > 0) {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && !str_starts(text, str_of(known[i].variable)))
            i++;
        if (i < sizeof known / sizeof *known) {
            text_put(&to, str_of(known[i].is));
            text = str_skip(text, str_of(known[i].variable).len);
        } else if (str_starts(text, STR("$server_name")) && s->host.len > 0) {
            text_put(&to, s->host);
            text = str_skip(text, 12);
        } else if (text.ptr[0] == '$' &&
                   (text.len == 1 || text.ptr[1] < '1' || text.ptr[1] > '9')) {
            is_fine = false;
        } else {
            if (text.ptr[0] == '{' || text.ptr[0] == '}')
                is_fine = false; // they would stand for something
            text_byte(&to, text.ptr[0]);
            text = str_skip(text, 1);
        }
    }
    *ret = draft_text(s->n->d, text_str(&to));
    text_fini(&to);
    return is_fine;
}

static bool has_group(struct str s)
{
    for (size_t i = 0; i + 1 < s.len; i++)
        if (s.ptr[i] == '$' && s.ptr[i + 1] >= '1' && s.ptr[i + 1] <= '9')
            return true;
    return false;
}

static bool is_redirect_code(struct str code)
{
    return str_eq(code, STR("301")) || str_eq(code, STR("302")) || str_eq(code, STR("303")) ||
           str_eq(code, STR("307")) || str_eq(code, STR("308"));
}

static void put_redirect(struct nginx_server *s, struct nginx_directive *d, struct str url,
                         struct str code, struct str from, struct conf_node *target)
{
    struct draft *draft = s->n->d;
    struct str to;
    if (!expand(s, url, &to)) {
        nginx_note(s->n, d, DRAFT_CLOSED, "the URL has a variable that redirects here don't know");
        nginx_close(s, target, d);
        return;
    }
    struct conf_node *settings = nginx_filter(s, target, "redirect", d->place);
    if (from.len > 0)
        draft_set(draft, settings, STR("from"), from, d->place);
    draft_set(draft, settings, STR("to"), to, d->place);
    draft_set(draft, settings, STR("code"), str_eq(code, STR("303")) ? STR("302") : code, d->place);
    d->is_done = true;
}

static void put_return(struct nginx_server *s, struct nginx_directive *d, struct str regex,
                       struct conf_node *target)
{
    struct draft *draft = s->n->d;
    struct str code = nginx_word(d, 1), text = nginx_word(d, 2);
    uint64_t number;
    d->is_done = true;
    if (num_dec(code, 999, &number) != ERR_OK) { // "return URL"
        put_redirect(s, d, code, STR("302"), STR_NONE, target);
        return;
    }
    if (is_redirect_code(code) && text.len > 0) {
        put_redirect(s, d, text, code, has_group(text) ? regex : STR_NONE, target);
        return;
    }
    struct conf_node *settings = nginx_filter(s, target, "respond", d->place);
    if (number == 444) {
        nginx_note(s->n, d, DRAFT_CHANGED, "clients get 403 instead of a closed connection");
        code = STR("403");
    }
    if (!nginx_is_plain(text)) {
        nginx_note(s->n, d, DRAFT_CHANGED, "the text can't be made of variables here");
        text = STR("");
    }
    draft_set(draft, settings, STR("status"), code, d->place);
    draft_set(draft, settings, STR("body"), text, d->place);
    struct nginx_directive *type = nginx_setting(d->parent, "default_type");
    if (type)
        draft_set(draft, settings, STR("content-type"), nginx_word(type, 1), type->place);
}

// --- rewrite ---

static void put_rewrite(struct nginx_server *s, struct nginx_directive *d, struct conf_node *target)
{
    struct draft *draft = s->n->d;
    struct str to = nginx_word(d, 2), flag = nginx_word(d, 3), expanded;
    bool is_permanent = str_eq(flag, STR("permanent"));
    bool is_redirect = is_permanent || str_eq(flag, STR("redirect")) ||
                       str_starts(to, STR("http://")) || str_starts(to, STR("https://")) ||
                       str_starts(to, STR("$scheme"));
    d->is_done = true;
    // Arguments of the request go along, unless the new URL ends with '?'.
    bool drops_query = str_ends(to, STR("?"));
    to.len -= drops_query;
    bool has_query = str_find(to, '?') != STR_NPOS;
    if (is_redirect) {
        if (!drops_query && !has_query && str_search(to, STR("args")) == STR_NPOS)
            to = draft_printf(draft, STR_FMT "$is_args$args", STR_ARG(to));
        put_redirect(s, d, to, is_permanent ? STR("301") : STR("302"), nginx_word(d, 1), target);
        return;
    }
    if (!expand(s, to, &expanded) || str_find(expanded, '{') != STR_NPOS) {
        nginx_note(s->n, d, DRAFT_CLOSED, "the path has a variable that rewrites here don't know");
        nginx_close(s, target, d);
        return;
    }
    struct conf_node *settings = nginx_filter(s, target, "rewrite", d->place);
    draft_set(draft, settings, STR("from"), nginx_word(d, 1), d->place);
    draft_set(draft, settings, STR("to"), expanded, d->place);
    if (drops_query)
        nginx_note(s->n, d, DRAFT_CHANGED, "the request's own query goes along");
    else if (str_eq(flag, STR("last")) || flag.len == 0)
        nginx_note(s->n, d, DRAFT_CHANGED, "the location isn't looked for again with the new path");
}

// --- if ---

// Words of a condition, without its parentheses.
static size_t condition(const struct nginx_directive *d, struct str words[4])
{
    size_t n = 0;
    for (size_t i = 1; i < d->n_words && n < 4; i++) {
        struct str w = nginx_word(d, i);
        if (i == 1 && str_starts(w, STR("(")))
            w = str_skip(w, 1);
        if (i + 1 == d->n_words && str_ends(w, STR(")")))
            w.len--;
        if (w.len > 0)
            words[n++] = w;
    }
    return n;
}

// "return 403" in a condition on a field of the request: a filter of ours refuses it.
static bool put_refusal(struct nginx_server *s, struct nginx_directive *d,
                        const struct str words[4], struct conf_node *target)
{
    struct draft *draft = s->n->d;
    struct nginx_directive *answer = d->first;
    uint64_t code;
    bool is_refusal = answer && !answer->next && nginx_is(answer, "return") &&
                      answer->n_words == 2 &&
                      num_dec(nginx_word(answer, 1), 999, &code) == ERR_OK && code >= 400;
    bool ignores_case = str_eq(words[1], STR("~*"));
    bool is_match = ignores_case || str_eq(words[1], STR("~"));
    if (!is_refusal || !is_match || !str_starts(words[0], STR("$http_")))
        return false;
    struct conf_node *settings = nginx_filter(s, target, "deny", d->place);
    struct conf_node *headers = draft_map(draft, settings, STR("headers"), d->place);
    struct str name = nginx_field_name(s->n, str_skip(words[0], 6));
    draft_set(draft, headers, name,
              draft_printf(draft, "%s" STR_FMT, ignores_case ? "(?i)" : "", STR_ARG(words[2])),
              d->place);
    if (code == 444)
        nginx_note(s->n, answer, DRAFT_CHANGED, "clients get 403 instead of a closed connection");
    draft_set(draft, settings, STR("status"), code == 444 ? STR("403") : nginx_word(answer, 1),
              answer->place);
    answer->is_done = true;
    return true;
}

// if ($host = a.example) { return 301 https://…; }, as certbot writes it, among other names.
static bool put_host_redirect(struct nginx_server *s, struct nginx_directive *d,
                              const struct str words[4], struct conf_node *target)
{
    struct nginx_directive *answer = d->first;
    bool is_redirect = answer && !answer->next && nginx_is(answer, "return") &&
                       is_redirect_code(nginx_word(answer, 1));
    struct str to;
    if (!is_redirect || !str_eq(words[0], STR("$host")) || !str_eq(words[1], STR("=")) ||
        !expand(s, nginx_word(answer, 2), &to))
        return false;
    struct conf_node *settings = nginx_filter(s, target, "redirect", d->place);
    struct draft *draft = s->n->d;
    struct text from = {0};
    text_put(&from, STR("^https?://"));
    for (size_t i = 0; i < words[2].len; i++) {
        if (words[2].ptr[i] == '.')
            text_byte(&from, '\\');
        text_byte(&from, words[2].ptr[i]);
    }
    text_put(&from, STR("(:[0-9]+)?/"));
    draft_set(draft, settings, STR("from"), text_str(&from), d->place);
    text_fini(&from);
    draft_set(draft, settings, STR("of"), STR("url"), d->place);
    draft_set(draft, settings, STR("to"), to, answer->place);
    draft_set(draft, settings, STR("code"), nginx_word(answer, 1), answer->place);
    answer->is_done = true;
    return true;
}

static void put_if(struct nginx_server *s, struct nginx_directive *d, struct conf_node *target)
{
    struct str words[4] = {STR_NONE, STR_NONE, STR_NONE, STR_NONE};
    d->is_done = true;
    if (condition(d, words) == 3 &&
        (put_refusal(s, d, words, target) || put_host_redirect(s, d, words, target)))
        return;
    nginx_note(s->n, d, DRAFT_CLOSED,
               "such conditions can't be carried over; routes with rules, and "
               "'allow' and 'deny', may say it");
    nginx_close(s, target, d);
}

bool nginx_put_answers(struct nginx_server *s, struct nginx_directive *block, struct str regex,
                       struct conf_node *target)
{
    bool answers = false;
    for (struct nginx_directive *d = block->first; d && !answers; d = d->next) {
        if (nginx_is(d, "if")) {
            put_if(s, d, target);
        } else if (nginx_is(d, "rewrite")) {
            put_rewrite(s, d, target);
        } else if (nginx_is(d, "return")) {
            put_return(s, d, regex, target);
            answers = true;
        }
    }
    return answers;
}

// --- servers that only redirect ---

static bool leads_to_https(const struct nginx_directive *d)
{
    static const char *const urls[] = {
        "https://$host$request_uri",
        "https://$server_name$request_uri",
        "https://$http_host$request_uri",
        "https://$host$uri$is_args$args",
        "https://$server_name$uri$is_args$args",
    };
    bool is_rewrite = nginx_is(d, "rewrite");
    struct str url = nginx_word(d, 2);
    if (is_rewrite && str_starts(url, STR("https://")))
        return str_ends(url, STR("$request_uri?")) || str_ends(url, STR("$1"));
    for (size_t i = 0; nginx_is(d, "return") && i < sizeof urls / sizeof *urls; i++)
        if (str_eq(url, str_of(urls[i])))
            return is_redirect_code(nginx_word(d, 1));
    return false;
}

static bool is_about_challenges(const struct nginx_directive *d)
{
    return nginx_is(d, "location") &&
           str_search(nginx_word(d, d->n_words - 1), STR(".well-known/acme-challenge")) != STR_NPOS;
}

bool nginx_is_redirect_server(const struct nginx_directive *block)
{
    bool redirects = false;
    for (const struct nginx_directive *d = block->first; d; d = d->next) {
        if (leads_to_https(d))
            redirects = true;
        else if (nginx_is(d, "if") || (nginx_is(d, "location") && !is_about_challenges(d))) {
            // Whatever its condition: in the end everybody is to come by https.
            if (!d->first || d->first->next || !leads_to_https(d->first))
                return false;
            redirects = true;
        } else if (nginx_is(d, "proxy_pass") ||
                   (nginx_is(d, "return") && !str_eq(nginx_word(d, 1), STR("404"))))
            return false;
    }
    return redirects;
}
