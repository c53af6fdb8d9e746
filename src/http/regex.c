// SPDX-License-Identifier: Apache-2.0
#include "http/regex.h"

#include <pthread.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/num.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

// Steps from one start of a match. An ordinary expression over a request's text takes some
// thousands; the limit ends a catastrophic one after a few milliseconds.
#define MATCH_LIMIT 200000
// Longer texts aren't searched: the time of an expression that is merely bad grows with their
// square or cube (165 ms for "a*a*[bc]" at this length, from which on it would be seconds).
#define SUBJECT_MAX (16 * 1024)
// Without the JIT the limit of steps is not enough, as one step may scan the whole text: such code
// is counted at every item, by what it may scan.
#define COST_LIMIT 1000000
#define COST_SCAN_BYTES 256
#define DEPTH_LIMIT 2000
#define HEAP_LIMIT_KIB 512
#define JIT_STACK_FIRST_BYTES (32 * 1024)
#define JIT_STACK_MAX_BYTES (256 * 1024)
#define PATTERN_LENGTH_MAX (16 * 1024)
#define GROUP_NAME_MAX_BYTES 128

struct regex {
    pcre2_code *code; // owns
};

// What one thread needs to match. A match never waits, so fibers of a thread can share it.
struct matcher {
    pcre2_match_context *context; // owns
    pcre2_match_data *data;       // owns
    pcre2_jit_stack *stack;       // owns
    size_t cost;                  // so far, of a match without the JIT
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t matcher_key; // for its destructor
static pcre2_general_context *general;
static pcre2_compile_context *compiling;
static _Thread_local struct matcher *self;

static void *pcre_alloc(size_t n, void *arg)
{
    (void)arg;
    return mem_alloc_raw(n);
}

static void pcre_free(void *ptr, void *arg)
{
    (void)arg;
    mem_free(ptr);
}

static void matcher_free(void *ptr)
{
    struct matcher *m = ptr;
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    pcre2_jit_stack_free(m->stack);
    mem_free(m);
    self = NULL;
}

static void set_up(void)
{
    general = pcre2_general_context_create(pcre_alloc, pcre_free, NULL);
    compiling = pcre2_compile_context_create(general);
    ASSERT(general != NULL && compiling != NULL);
    pcre2_set_max_pattern_length(compiling, PATTERN_LENGTH_MAX);
    pcre2_set_parens_nest_limit(compiling, 100);
    ASSERT(pthread_key_create(&matcher_key, matcher_free) == 0);
}

static int count_cost(pcre2_callout_block *b, void *arg)
{
    struct matcher *m = arg;
    m->cost += 1 + (b->subject_length - b->current_position) / COST_SCAN_BYTES;
    return m->cost > COST_LIMIT ? PCRE2_ERROR_CALLOUT : 0;
}

static struct matcher *matcher_self(void)
{
    if (LIKELY(self != NULL))
        return self;
    pthread_once(&once, set_up);
    struct matcher *m = MEM_NEW(struct matcher);
    m->context = pcre2_match_context_create(general);
    m->data = pcre2_match_data_create(REGEX_GROUPS_MAX, general);
    m->stack = pcre2_jit_stack_create(JIT_STACK_FIRST_BYTES, JIT_STACK_MAX_BYTES, general);
    ASSERT(m->context != NULL && m->data != NULL);
    pcre2_set_match_limit(m->context, MATCH_LIMIT);
    pcre2_set_depth_limit(m->context, DEPTH_LIMIT);
    pcre2_set_heap_limit(m->context, HEAP_LIMIT_KIB);
    // WHY: without a stack of its own the JIT takes 32 KiB of the fiber's 64.
    pcre2_jit_stack_assign(m->context, NULL, m->stack);
    pcre2_set_callout(m->context, count_cost, m);
    pthread_setspecific(matcher_key, m);
    return self = m;
}

static bool has_non_ascii(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.ptr[i] >= 0x80)
            return true;
    return false;
}

static pcre2_code *compile(struct str pattern, uint32_t options, int *ret_error, size_t *ret_at)
{
    return pcre2_compile((PCRE2_SPTR)(pattern.len > 0 ? pattern.ptr : ""), pattern.len, options,
                         ret_error, ret_at, compiling);
}

static bool has_jit(const pcre2_code *code)
{
    size_t n = 0;
    return pcre2_pattern_info(code, PCRE2_INFO_JITSIZE, &n) == 0 && n > 0;
}

struct regex *regex_compile(struct str pattern, unsigned flags, struct arena *mem, size_t *ret_at,
                            char why[static REGEX_WHY_BYTES])
{
    pthread_once(&once, set_up);
    // Go's $ is the very end of the text; PCRE2's would also match before a final line end.
    uint32_t options = PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
    if (flags & REGEX_IGNORE_CASE)
        options |= PCRE2_CASELESS;
    if (flags & REGEX_WHOLE)
        options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED;
    // Requests are bytes. Only an expression that is not ASCII itself looks for characters, and
    // then malformed sequences in the request match nothing.
    if (has_non_ascii(pattern))
        options |= PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
    else
        options |= PCRE2_NEVER_UTF;
    int error = 0;
    size_t at = 0;
    pcre2_code *code = compile(pattern, options, &error, &at);
    // The JIT may be forbidden: by a system that allows no new executable memory, by (*NO_JIT).
    if (code && (pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) != 0 || !has_jit(code))) {
        pcre2_code_free(code);
        code = compile(pattern, options | PCRE2_AUTO_CALLOUT, &error, &at);
    }
    if (!code) {
        if (pcre2_get_error_message(error, (PCRE2_UCHAR *)why, REGEX_WHY_BYTES) < 0)
            why[0] = '\0';
        *ret_at = at;
        return NULL;
    }
    struct regex *re = ARENA_NEW(mem, struct regex);
    if (!re) {
        pcre2_code_free(code);
        *ret_at = SIZE_MAX;
        return NULL;
    }
    re->code = code;
    return re;
}

void regex_fini(struct regex *re)
{
    if (!re)
        return;
    pcre2_code_free(re->code);
    re->code = NULL;
}

// How many groups of the thread's match data are filled, 0: no match, -1: gave up.
static int find(const struct regex *re, struct str subject, size_t from)
{
    if (subject.len > SUBJECT_MAX)
        return -1;
    struct matcher *m = matcher_self();
    m->cost = 0;
    int rc = pcre2_match(re->code, (PCRE2_SPTR)(subject.len > 0 ? subject.ptr : ""), subject.len,
                         from, 0, m->data, m->context);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    return rc == 0 ? REGEX_GROUPS_MAX : MAX(rc, -1); // 0: there are more groups than we ask for
}

enum regex_result regex_match(const struct regex *re, struct str subject)
{
    int n = find(re, subject, 0);
    return n > 0 ? REGEX_YES : n == 0 ? REGEX_NO : REGEX_BROKEN;
}

enum regex_result regex_find(const struct regex *re, struct str subject, size_t from,
                             struct str ret_groups[static REGEX_GROUPS_MAX])
{
    ASSERT(from <= subject.len);
    int n = find(re, subject, from);
    if (n <= 0)
        return n == 0 ? REGEX_NO : REGEX_BROKEN;
    const char *base = subject.len > 0 ? subject.ptr : "";
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(matcher_self()->data);
    for (int i = 0; i < REGEX_GROUPS_MAX; i++) {
        // \K may move a match's start behind its end.
        bool is_there = i < n && at[2 * i] != PCRE2_UNSET && at[2 * i] <= at[2 * i + 1];
        ret_groups[i] = is_there ? str_from(base + at[2 * i], at[2 * i + 1] - at[2 * i]) : STR_NONE;
    }
    return ret_groups[0].ptr ? REGEX_YES : REGEX_BROKEN;
}

int regex_group(const struct regex *re, struct str name)
{
    uint32_t n_groups = 0;
    uint64_t number;
    char text[GROUP_NAME_MAX_BYTES + 1];
    if (num_dec(name, REGEX_GROUPS_MAX - 1, &number) == ERR_OK) {
        bool is_there = pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &n_groups) == 0 &&
                        number <= n_groups;
        return is_there ? (int)number : -1;
    }
    if (name.len == 0 || name.len >= sizeof text || str_find(name, '\0') != STR_NPOS)
        return -1;
    *str_copy(text, name) = '\0';
    int group = pcre2_substring_number_from_name(re->code, (PCRE2_SPTR)text);
    return group > 0 && group < REGEX_GROUPS_MAX ? group : -1;
}
