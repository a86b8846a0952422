/* SPDX-License-Identifier: MIT
 * group_rule.c - reading and writing rules about parameters. */
#include "core/settings/group_rule.h"

#include <string.h>

#include "core/base/status.h"
#include "core/io/text.h"
#include "core/peft/pattern.h"

/* A factor above this is a typing error; none is near it. */
static const float MOST = 1e6f;

static sct_status finish(struct sct_group_rule *r, sct_error *err)
{
    sct_error inner = SCT_ERROR_INIT;
    if (!r->has_lr && !r->has_wd)
        return sct_fail(err, SCT_EUSAGE,
                        "%s: group %.100s has neither a factor of the learning rate nor one of "
                        "the weight decay",
                        r->where, r->pattern);
    if (sct_pattern_check(r->pattern, &inner) != SCT_OK)
        return sct_fail(err, SCT_EUSAGE, "%s: %s", r->where, inner.msg);
    return SCT_OK;
}

static sct_status factor(float *out, const char *text, const char *where, const char *key,
                         sct_error *err)
{
    float v = 0;
    if (!sct_scan_f32(text, &v) || !(v >= 0.0f && v <= MOST))
        return sct_fail(err, SCT_EUSAGE,
                        "%s: expected a factor from 0 to 1000000 at %s, found \"%.40s\"", where,
                        key, text);
    *out = v;
    return SCT_OK;
}

sct_status sct_group_rule_text(struct sct_group_rule *r, struct sct_arena *arena,
                               const char *text, sct_error *err)
{
    memset(r, 0, sizeof *r);
    (void)snprintf(r->where, sizeof r->where, "--group");
    for (const char *w = text + strspn(text, " "); *w; w += strspn(w, " ")) {
        const size_t n = strcspn(w, " ");
        const char *word = sct_arena_printf(arena, "%.*s", (int)(n < 1000 ? n : 1000), w);
        if (!word)
            return sct_nomem(err);
        const bool lr = strncmp(word, "lr=", 3) == 0, wd = strncmp(word, "wd=", 3) == 0;
        if (lr && !r->has_lr)
            SCT_TRY(factor(&r->lr_mult, word + 3, r->where, "lr", err));
        else if (wd && !r->has_wd)
            SCT_TRY(factor(&r->wd_mult, word + 3, r->where, "wd", err));
        else if (!r->pattern && !strchr(word, '='))
            r->pattern = word;
        else
            return sct_fail(err, SCT_EUSAGE,
                            "--group: expected 'PATTERN lr=X wd=Y', found \"%.60s\" in "
                            "\"%.200s\"",
                            word, text);
        r->has_lr |= lr;
        r->has_wd |= wd;
        w += n;
    }
    if (!r->pattern)
        return sct_fail(err, SCT_EUSAGE,
                        "--group: expected 'PATTERN lr=X wd=Y', found \"%.200s\"", text);
    return finish(r, err);
}

sct_status sct_group_rule_yaml(struct sct_group_rule *r, struct sct_arena *arena,
                               const struct sct_cfg_node *item, sct_error *err)
{
    static const char *const keys[] = {"params", "lr_mult", "wd_mult", NULL};
    const char *pattern = NULL, *lr = NULL, *wd = NULL;
    memset(r, 0, sizeof *r);
    if (item->kind != SCT_CFG_MAPPING)
        return sct_cfg_fail(item, err,
                            "expected {params: PATTERN, lr_mult: X, wd_mult: Y} in groups");
    (void)snprintf(r->where, sizeof r->where, "%.150s:%u:%u", item->file, item->line,
                   item->column);
    SCT_TRY(sct_cfg_only(item, keys, err));
    SCT_TRY(sct_cfg_need_str(item, "params", &pattern, err));
    SCT_TRY(sct_cfg_str(item, "lr_mult", &lr, err));
    SCT_TRY(sct_cfg_str(item, "wd_mult", &wd, err));
    if (lr)
        SCT_TRY(factor(&r->lr_mult, lr, r->where, "lr_mult", err));
    if (wd)
        SCT_TRY(factor(&r->wd_mult, wd, r->where, "wd_mult", err));
    r->has_lr = lr != NULL;
    r->has_wd = wd != NULL;
    r->pattern = sct_arena_strdup(arena, pattern);
    return r->pattern ? finish(r, err) : sct_nomem(err);
}

void sct_group_rule_dump(const struct sct_group_rule *r, struct sct_str *out)
{
    char lr[32], wd[32];
    sct_format_f32(lr, r->lr_mult);
    sct_format_f32(wd, r->wd_mult);
    sct_str_add(out, "  - {params: \"%s\"", r->pattern);
    if (r->has_lr)
        sct_str_add(out, ", lr_mult: %s", lr);
    if (r->has_wd)
        sct_str_add(out, ", wd_mult: %s", wd);
    sct_str_add(out, "}\n");
}
