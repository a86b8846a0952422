/* SPDX-License-Identifier: MIT
 * peft_regex.c - a small regular expression matcher.
 * The expression becomes postfix by precedence of its operators and an automaton from there
 * (Thompson 1968); all its states are followed at once, so nothing is tried twice. */
#include "core/adapter/peft_regex.h"

#include <ctype.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/status.h"

enum { MAX_STATES = 4096, MAX_TEXT = 1024 };

/* A state goes on over one character of `set`, or without one to out and alt. */
struct state {
    bool takes;
    uint8_t set[32];
    int out, alt; /* -1: nowhere */
};

/* A part of the automaton with one way in and one way out. */
struct part {
    int first, last;
};

/* Operators on the stack, by precedence. */
enum { OPEN, EITHER, THEN };

struct regex {
    struct state *state;
    struct part *part; /* the values of the postfix machine */
    uint8_t *op;
    int n, n_part, n_op;
    const char *why; /* what is not understood, or NULL */
};

static int add_state(struct regex *x, int out, int alt)
{
    if (x->n >= MAX_STATES - 4) {
        x->why = "it is too long";
        return 0;
    }
    x->state[x->n] = (struct state){.out = out, .alt = alt};
    return x->n++;
}

static void push(struct regex *x, int first, int last)
{
    if (x->n_part < MAX_TEXT)
        x->part[x->n_part++] = (struct part){first, last};
    else
        x->why = "it is too long";
}

static struct part pop(struct regex *x)
{
    if (x->n_part > 0)
        return x->part[--x->n_part];
    x->why = "an operator has nothing to work on";
    return (struct part){0, 0};
}

/* ---- sets of characters ---- */

static void put(uint8_t set[32], int c)
{
    set[c >> 3] |= (uint8_t)(1u << (c & 7));
}

static void put_if(uint8_t set[32], int (*is)(int), bool underscore)
{
    for (int c = 1; c < 128; c++)
        if (is(c) || (underscore && c == '_'))
            put(set, c);
}

/* \d, \w, \s, or a character that is no letter or digit; false: none of them. */
static bool put_escape(uint8_t set[32], char c)
{
    if (c == 'd')
        put_if(set, isdigit, false);
    else if (c == 'w')
        put_if(set, isalnum, true);
    else if (c == 's')
        put_if(set, isspace, false);
    else if (c && !isalnum((unsigned char)c))
        put(set, (unsigned char)c);
    else
        return false;
    return true;
}

/* "[a-z_]" from behind the bracket on; returns where it ends, or NULL. */
static const char *put_set(uint8_t set[32], const char *p)
{
    const bool not = *p == '^';
    p += not ;
    const char *first = p;
    for (; *p && (*p != ']' || p == first); p++) {
        if (*p == '\\') {
            if (!put_escape(set, *++p))
                return NULL;
        } else if (p[1] == '-' && p[2] && p[2] != ']') {
            for (int c = (unsigned char)p[0]; c <= (unsigned char)p[2]; c++)
                put(set, c);
            p += 2;
        } else {
            put(set, (unsigned char)*p);
        }
    }
    for (int i = 0; not &&i < 32; i++)
        set[i] = (uint8_t)~set[i];
    return *p == ']' ? p + 1 : NULL;
}

/* ---- building ---- */

static void apply(struct regex *x, uint8_t op)
{
    const struct part b = pop(x), a = pop(x);
    if (op == THEN) {
        x->state[a.last].out = b.first;
        push(x, a.first, b.last);
        return;
    }
    const int split = add_state(x, a.first, b.first), end = add_state(x, -1, -1);
    x->state[a.last].out = x->state[b.last].out = end;
    push(x, split, end);
}

/* Operators that bind at least as tightly go first. */
static void push_op(struct regex *x, uint8_t op)
{
    while (op != OPEN && x->n_op && x->op[x->n_op - 1] >= op)
        apply(x, x->op[--x->n_op]);
    if (x->n_op < MAX_TEXT)
        x->op[x->n_op++] = op;
    else
        x->why = "it is too long";
}

static void close_group(struct regex *x)
{
    while (x->n_op && x->op[x->n_op - 1] != OPEN)
        apply(x, x->op[--x->n_op]);
    if (x->n_op)
        x->n_op--;
    else
        x->why = "a bracket was not opened";
}

static void repeat(struct regex *x, char how)
{
    const struct part a = pop(x);
    const int end = add_state(x, -1, -1), split = add_state(x, a.first, end);
    x->state[a.last].out = how == '?' ? end : split;
    push(x, how == '+' ? a.first : split, end);
}

/* One character or set at p; returns where it ends, or NULL. */
static const char *atom(struct regex *x, const char *p)
{
    const int s = add_state(x, -1, -1), e = add_state(x, -1, -1);
    struct state *at = &x->state[s];
    at->takes = true;
    at->out = e;
    push(x, s, e);
    if (*p == '.') {
        memset(at->set, 0xff, sizeof at->set);
        return p + 1;
    }
    if (*p == '[')
        return put_set(at->set, p + 1);
    if (*p == '\\')
        return put_escape(at->set, p[1]) ? p + 2 : NULL;
    put(at->set, (unsigned char)*p);
    return p + 1;
}

static void nothing(struct regex *x)
{
    const int s = add_state(x, -1, -1);
    push(x, s, s);
}

static void compile(struct regex *x, const char *p)
{
    bool value = false; /* is there one in front of p, in this alternative? */
    while (*p && !x->why) {
        if ((*p == '^' && !value && !x->n_op) || (*p == '$' && !p[1])) {
            p++; /* the whole name is matched anyway */
        } else if (*p == '|' || *p == ')') {
            if (!value)
                nothing(x);
            if (*p == '|')
                push_op(x, EITHER);
            else
                close_group(x);
            value = *p++ == ')';
        } else if (strchr("*+?", *p)) {
            if (value)
                repeat(x, *p);
            else
                x->why = "there is nothing in front of *, + or ?";
            p += p[1] == '?' ? 2 : 1; /* what is matched as a whole does not know of lazy */
        } else if (strchr("{}^$", *p)) {
            x->why = "{}, ^ and $ are not understood";
        } else {
            if (value)
                push_op(x, THEN);
            if (*p == '(') {
                push_op(x, OPEN);
                p += strncmp(p, "(?:", 3) == 0 ? 3 : 1;
                value = false;
                continue;
            }
            value = true;
            if (!(p = atom(x, p))) {
                x->why = "an escape or a set is not understood";
                return;
            }
        }
    }
    if (!value)
        nothing(x);
    while (x->n_op && !x->why) {
        if (x->op[x->n_op - 1] == OPEN)
            x->why = "a bracket was not closed";
        else
            apply(x, x->op[--x->n_op]);
    }
    if (!x->why && x->n_part != 1)
        x->why = "it is no expression";
}

/* ---- matching ---- */

/* Marks what is reached from s without a character. todo: room for all states, twice. */
static void follow(const struct regex *x, int s, uint8_t *on, int *todo)
{
    int n = 0;
    todo[n++] = s;
    while (n) {
        s = todo[--n];
        if (s < 0 || on[s])
            continue;
        on[s] = 1;
        if (x->state[s].takes)
            continue;
        todo[n++] = x->state[s].out;
        todo[n++] = x->state[s].alt;
    }
}

static bool run(const struct regex *x, const char *name, bool end, uint8_t *on, uint8_t *then,
                int *todo)
{
    const struct part all = x->part[0];
    memset(on, 0, MAX_STATES);
    for (size_t i = 0;; i++) {
        if (i == 0 || (end && name[i - 1] == '.'))
            follow(x, all.first, on, todo);
        if (!name[i])
            return on[all.last];
        const unsigned char c = (unsigned char)name[i];
        memset(then, 0, MAX_STATES);
        for (int s = 0; s < x->n; s++)
            if (on[s] && x->state[s].takes && (x->state[s].set[c >> 3] >> (c & 7) & 1))
                follow(x, x->state[s].out, then, todo);
        uint8_t *t = on;
        on = then;
        then = t;
    }
}

sct_status sct_peft_regex_match(const char *regex, const char *name, bool end, int *yes,
                                const char *file, const char *key, sct_error *err)
{
    struct regex x = {.why = NULL};
    *yes = 0;
    x.state = sct_calloc(MAX_STATES, sizeof *x.state);
    x.part = sct_calloc(MAX_TEXT, sizeof *x.part);
    x.op = sct_calloc(MAX_TEXT, sizeof *x.op);
    uint8_t *on = sct_calloc(2, MAX_STATES);
    int *todo = sct_calloc((size_t)3 * MAX_STATES, sizeof *todo);
    sct_status rc = x.state && x.part && x.op && on && todo ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK) {
        if (strlen(regex) > MAX_TEXT)
            x.why = "it is too long";
        else
            compile(&x, regex);
        if (x.why)
            rc = sct_fail(err, SCT_EFILE, "%s: %s: expression \"%.100s\": %s", file, key, regex,
                          x.why);
        else
            *yes = run(&x, name, end, on, on + MAX_STATES, todo);
    }
    sct_free(x.state);
    sct_free(x.part);
    sct_free(x.op);
    sct_free(on);
    sct_free(todo);
    return rc;
}
