/* SPDX-License-Identifier: MIT
 * json.c - JSON files with positions in errors, typed access with key paths, exact floats.
 * jansson parses by recursion, so text is measured first and refused when too deep. */
#include "core/io/json.h"

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/io/file.h"
#include "core/io/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct sct_json_cost sct_json_measure(const char *text, size_t n)
{
    struct sct_json_cost cost = {0, 1, 0};
    size_t depth = 0;
    int in_string = 0;
    for (size_t i = 0; i < n; i++) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = 0;
            continue;
        }
        switch (c) {
        case '"':
            in_string = 1;
            break;
        case '[':
        case '{':
            cost.values++;
            if (++depth > cost.depth) {
                cost.depth = depth;
                cost.deepest = i;
            }
            break;
        case ']':
        case '}':
            depth -= depth > 0;
            break;
        case ',':
        case ':':
            cost.values++;
            break;
        default:
            break;
        }
    }
    return cost;
}

sct_status sct_json_parse(const char *text, size_t n, const char *name, sct_status bad,
                          json_t **out, sct_error *err)
{
    *out = NULL;
    const struct sct_json_cost cost = sct_json_measure(text, n);
    if (cost.depth > SCT_JSON_MAX_DEPTH)
        return sct_fail(err, bad, "%s: nested deeper than %d levels at byte %zu", name,
                        SCT_JSON_MAX_DEPTH, cost.deepest);
    json_error_t je;
    memset(&je, 0, sizeof je);
    json_t *tree = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
    if (!tree) {
        /* jansson leaves the text empty on most of its paths out of memory. */
        if (!je.text[0] || json_error_code(&je) == json_error_out_of_memory)
            return sct_nomem(err);
        return sct_fail(err, bad, "%s:%d:%d: %s", name, je.line, je.column, je.text);
    }
    if (!json_is_object(tree)) {
        json_decref(tree);
        return sct_fail(err, bad, "%s: expected an object {...}, found an array", name);
    }
    *out = tree;
    return SCT_OK;
}

sct_status sct_json_load(const char *path, sct_status bad, json_t **out, sct_error *err)
{
    char *text = NULL;
    size_t n = 0;
    *out = NULL;
    SCT_TRY(sct_file_read(path, SCT_JSON_MAX_BYTES, bad, &text, &n, err));
    const sct_status rc = sct_json_parse(text, n, path, bad, out, err);
    sct_free(text);
    return rc;
}

/* Short description of a value for "found ...". */
static void describe(const json_t *v, char *buf, size_t size)
{
    switch (v ? json_typeof(v) : JSON_NULL) {
    case JSON_OBJECT:
        (void)snprintf(buf, size, "an object");
        break;
    case JSON_ARRAY:
        (void)snprintf(buf, size, "an array of %zu", json_array_size(v));
        break;
    case JSON_STRING:
        (void)snprintf(buf, size, "\"%.60s\"", json_string_value(v));
        break;
    case JSON_INTEGER:
        (void)snprintf(buf, size, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        break;
    case JSON_REAL:
        (void)snprintf(buf, size, "%.9g", json_real_value(v));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        (void)snprintf(buf, size, "%s", json_is_true(v) ? "true" : "false");
        break;
    default:
        (void)snprintf(buf, size, "%s", v ? "null" : "nothing");
        break;
    }
}

static sct_status mismatch(const struct sct_json_at *at, const char *key, const char *expected,
                           const json_t *found, sct_error *err)
{
    char what[96];
    describe(found, what, sizeof what);
    const char *path = at->path ? at->path : "";
    return sct_fail(err, at->bad, "%s: expected %s at %s%s%s, found %s", at->file, expected,
                    path, *path ? "." : "", key, what);
}

/* 1: *v holds a value; 0: leave the default; -1: an error was filled. */
static int look(const struct sct_json_at *at, const char *key, enum sct_json_need need,
                const char *expected, const json_t **v, sct_error *err)
{
    *v = json_object_get(at->obj, key);
    if (*v && !json_is_null(*v))
        return 1;
    if (need == SCT_JSON_OPTIONAL)
        return 0;
    (void)mismatch(at, key, expected, *v, err);
    return -1;
}

sct_status sct_json_get_str(const struct sct_json_at *at, const char *key,
                            enum sct_json_need need, const char **out, sct_error *err)
{
    const json_t *v;
    const int have = look(at, key, need, "a string", &v, err);
    if (have <= 0)
        return have < 0 ? at->bad : SCT_OK;
    if (!json_is_string(v))
        return mismatch(at, key, "a string", v, err);
    *out = json_string_value(v);
    return SCT_OK;
}

sct_status sct_json_get_bool(const struct sct_json_at *at, const char *key,
                             enum sct_json_need need, int *out, sct_error *err)
{
    const json_t *v;
    const int have = look(at, key, need, "true or false", &v, err);
    if (have <= 0)
        return have < 0 ? at->bad : SCT_OK;
    if (!json_is_boolean(v))
        return mismatch(at, key, "true or false", v, err);
    *out = json_is_true(v);
    return SCT_OK;
}

sct_status sct_json_get_u64(const struct sct_json_at *at, const char *key,
                            enum sct_json_need need, uint64_t min, uint64_t max, uint64_t *out,
                            sct_error *err)
{
    char expected[96];
    if (min == 0 && max >= INT64_MAX)
        (void)snprintf(expected, sizeof expected, "an integer of at least 0");
    else
        (void)snprintf(expected, sizeof expected, "an integer from %llu to %llu",
                       (unsigned long long)min, (unsigned long long)max);
    const json_t *v;
    const int have = look(at, key, need, expected, &v, err);
    if (have <= 0)
        return have < 0 ? at->bad : SCT_OK;
    const json_int_t i = json_is_integer(v) ? json_integer_value(v) : -1;
    if (i < 0 || (uint64_t)i < min || (uint64_t)i > max)
        return mismatch(at, key, expected, v, err);
    *out = (uint64_t)i;
    return SCT_OK;
}

sct_status sct_json_get_u32(const struct sct_json_at *at, const char *key,
                            enum sct_json_need need, uint32_t min, uint32_t max, uint32_t *out,
                            sct_error *err)
{
    uint64_t v = *out;
    SCT_TRY(sct_json_get_u64(at, key, need, min, max, &v, err));
    *out = (uint32_t)v;
    return SCT_OK;
}

sct_status sct_json_get_f64(const struct sct_json_at *at, const char *key,
                            enum sct_json_need need, double *out, sct_error *err)
{
    const json_t *v;
    const int have = look(at, key, need, "a number", &v, err);
    if (have <= 0)
        return have < 0 ? at->bad : SCT_OK;
    if (!json_is_number(v))
        return mismatch(at, key, "a number", v, err);
    *out = json_number_value(v);
    return SCT_OK;
}

sct_status sct_json_get_array(const struct sct_json_at *at, const char *key,
                              enum sct_json_need need, const json_t **out, sct_error *err)
{
    const json_t *v;
    const int have = look(at, key, need, "an array", &v, err);
    if (have <= 0)
        return have < 0 ? at->bad : SCT_OK;
    if (!json_is_array(v))
        return mismatch(at, key, "an array", v, err);
    *out = v;
    return SCT_OK;
}

sct_status sct_json_get_object(const struct sct_json_at *at, const char *key,
                               enum sct_json_need need, const json_t **out, sct_error *err)
{
    const json_t *v;
    const int have = look(at, key, need, "an object", &v, err);
    if (have <= 0)
        return have < 0 ? at->bad : SCT_OK;
    if (!json_is_object(v))
        return mismatch(at, key, "an object", v, err);
    *out = v;
    return SCT_OK;
}

sct_status sct_json_get_strings(const struct sct_json_at *at, const char *key,
                                enum sct_json_need need, const json_t **out, size_t *n,
                                sct_error *err)
{
    const json_t *v = NULL;
    SCT_TRY(sct_json_get_array(at, key, need, &v, err));
    if (!v)
        return SCT_OK;
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!json_is_string(json_array_get(v, i)))
            return mismatch(at, key, "an array of strings", json_array_get(v, i), err);
    *out = v;
    *n = json_array_size(v);
    return SCT_OK;
}

json_t *sct_json_f32(float v)
{
    if (!isfinite(v))
        return json_null();
    char buf[32];
    sct_format_f32(buf, v);
    return json_real(strtod(buf, NULL));
}

sct_status sct_json_text(const json_t *tree, size_t indent, char **text, size_t *n,
                         sct_error *err)
{
    *text = NULL;
    *n = 0;
    const size_t flags = (indent ? JSON_INDENT(indent) : 0) | JSON_REAL_PRECISION(15);
    const size_t need = json_dumpb(tree, NULL, 0, flags);
    if (need == 0)
        return sct_nomem(err);
    char *s = sct_alloc(need + 2);
    if (!s)
        return sct_nomem(err);
    /* Dumping allocates, so the second pass may fail where the first did not. */
    if (json_dumpb(tree, s, need, flags) != need) {
        sct_free(s);
        return sct_nomem(err);
    }
    s[need] = '\n';
    s[need + 1] = 0;
    *text = s;
    *n = need + 1;
    return SCT_OK;
}

sct_status sct_json_save(const char *path, const json_t *tree, sct_error *err)
{
    char *text = NULL;
    size_t n = 0;
    SCT_TRY(sct_json_text(tree, 2, &text, &n, err));
    const sct_status rc = sct_file_write(path, text, n, err);
    sct_free(text);
    return rc;
}
